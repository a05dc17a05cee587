"""The first step of an import: the whole file is read, and each line becomes a row: a task to be written, or a refusal.

Only what lines call each other stays in memory; the tasks themselves are in the rows.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec

from commands.import_names import ImportNames
from commands.import_rows import ImportRows, NewRow, problem_of
from commands.importing import task_id
from domain.errors import Invalid, Rejection
from domain.exchange import FORMAT
from domain.import_file import Cutter, FileFormat, Header, Piece, header_of, record_of
from domain.import_line import COLUMNS, Described, Where, Whom, items_of, of_document, of_record
from domain.job import LineVerdict
from domain.task import TaskEdited
from domain.task_fields import Assignee, Origin
from domain.task_links import LinkType
from domain.workflow import Category

LINES_MAX: Final = 250_000  # of one file; what stays in memory of a line is some 200 bytes
ROWS_AT_ONCE: Final = 1_000
ROW_BYTES_AT_ONCE: Final = 4_000_000

_OF_THE_FILE: Final = ("import.format", "import.too_many")
_IGNORED: Final = ("comment", "time_entry")  # of an export: what people said and did elsewhere


class Work(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task that is to be written, with everything but its place among others, and its checklist."""

    fields: TaskEdited
    status: str | None = None
    category: Category | None = None
    assignee: Assignee | None = None
    project_id: str | None = None
    origin: Origin | None = None


ENCODE: Final = msgspec.json.Encoder().encode
DECODE: Final = msgspec.json.Decoder(Work).decode

Progress = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class Contents:
    """What a file holds: by line what it calls its tasks, what they are below, and what they are to others."""

    own: dict[str, int] = field(default_factory=dict)
    parents: dict[int, str] = field(default_factory=dict)
    links: dict[int, tuple[tuple[LinkType, str], ...]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    tasks: int = 0
    ignored: int = 0

    def forget(self) -> None:
        """Know no more what lines call each other."""
        for each in (self.own, self.parents, self.links):
            each.clear()


@dataclass(frozen=True, slots=True)
class Source:
    """How a file is to be understood. `name` is what its tasks are known by besides what it calls them."""

    form: FileFormat
    name: str
    project_id: str | None
    mapping: dict[str, str]


class ImportReader:
    """Reads one file."""

    def __init__(self, workspace_id: str, actor_id: str, source: Source, rows: ImportRows, names: ImportNames) -> None:
        self._workspace_id = workspace_id
        self._actor_id = actor_id
        self._source = source
        self._rows = rows
        self._names = names
        self._contents = Contents()
        self._header: Header | None = None
        self._said: dict[str, dict[str, str]] = {"user": {}, "team": {}, "project": {}}
        self._lists: list[tuple[int, str]] = []
        self._new: list[NewRow] = []
        self._size = 0
        self._same: dict[str, int] = {}
        self._exported = False
        self._ended: int | None = None

    async def read(self, pieces: AsyncIterator[bytes], progress: Progress) -> Contents:
        """Read it all. Raises `Invalid` for what no line can be blamed for."""
        cutter = Cutter(self._source.form)
        take = self._record if self._source.form is FileFormat.CSV else self._line
        done = 0
        async for data in pieces:
            for piece in cutter.feed(data):
                await take(piece)
            done += len(data)
            await progress(done)
        for piece in cutter.end():
            await take(piece)
        await self._flush()
        self._check_is_whole()
        return self._contents

    def _check_is_whole(self) -> None:
        contents = self._contents
        if self._source.form is FileFormat.CSV and self._header is None:
            raise Invalid("import.header", "/lines/1", "must begin with the names of columns, and is empty")
        if self._exported and self._ended is None:
            raise Invalid("import.incomplete", "/", "the last line of the export is missing, so others may be, too")
        if self._ended not in (None, contents.tasks) and not contents.refused:
            detail = f"the export says that it has {self._ended} tasks, and {contents.tasks} are here"
            raise Invalid("import.incomplete", "/", detail)

    async def _record(self, piece: Piece) -> None:
        """A record of CSV; one without anything in it says nothing: spreadsheets leave them behind."""
        if piece.data is not None and not piece.data.strip():
            return
        if self._header is None:
            text = "" if piece.data is None else _text(piece.data).rstrip("\r\n")
            self._header = header_of(text, self._source.mapping, COLUMNS)
            return
        try:
            text = _text(_whole(piece)).removesuffix("\r")
            record = record_of(text, self._header)
            if not any(map(str.strip, record.values())):
                return
            described = of_record(record, escaped=self._header.escaped)
        except Invalid as refusal:
            await self._blame(piece, refusal)
            return
        await self._keep(piece, described)

    async def _line(self, piece: Piece) -> None:
        """A line of JSON Lines; blank ones say nothing."""
        if piece.data is not None and not piece.data.strip():
            return
        try:
            document = _decoded(_text(_whole(piece)))
            kind = _kind(document)
            if kind != "task":
                await self._other(kind, document[kind])
                return
            described = of_document(document if "title" in document else document["task"])
        except Invalid as refusal:
            await self._blame(piece, refusal)
            return
        await self._keep(piece, described)

    async def _other(self, kind: str, value: Any) -> None:
        """A line of an export that is no task. Kinds that nobody knows are passed by."""
        match kind:
            case "export":
                self._exported = True
                if not isinstance(value, dict) or value.get("format") != FORMAT:
                    raise Invalid("import.format", "/export/format", f"must be {FORMAT}", str(value)[:200])
            case "end":
                self._ended = value.get("tasks") if isinstance(value, dict) else None
            case "user" | "team" | "project":
                name = {"user": "email", "team": "name", "project": "key"}[kind]
                if isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get(name), str):
                    self._said[kind][value["id"]] = value[name]
            case "checklist":
                await self._check_off(value)
            case _ if kind in _IGNORED:
                self._contents.ignored += 1
        self._count()

    async def _check_off(self, value: Any) -> None:
        """The checklist of a task before it. Raises `Invalid`."""
        line = self._contents.own.get(str(value.get("task_id"))) if isinstance(value, dict) else None
        if line is None:
            raise Invalid("import.checklist", "/checklist/task_id", "must be the task of a line before it")
        items = msgspec.json.encode(items_of(value.get("items"))).decode()
        self._lists.append((line, items))
        self._size += len(items)
        await self._flush_if_many()

    async def _keep(self, piece: Piece, said: Described) -> None:
        """A task that can be written, if whom and what it names are here."""
        contents, own = self._contents, said.own
        self._count()
        contents.tasks += 1
        name = self._known_by(piece) if own is None else own
        try:
            if name in contents.own:
                raise Invalid("import.twice", "/id", f"must differ from that of line {contents.own[name]}", own)
            contents.own[name] = piece.line
            work = Work(
                fields=said.fields,
                status=said.status,
                category=said.category,
                assignee=None if said.assignee is None else await self._names.assignee(self._whom(said.assignee)),
                project_id=await self._project(said.project),
                origin=Origin(id=own, created_at=said.created_at, completed_at=said.completed_at),
            )
        except Invalid as refusal:
            await self._refuse(piece.line, refusal)
            return
        made = task_id(self._workspace_id, self._actor_id, self._source.name, name)
        if said.parent is not None:
            contents.parents[piece.line] = said.parent
        if said.links:
            contents.links[piece.line] = said.links
        await self._add(NewRow(piece.line, made, LineVerdict.VALID, ENCODE(work).decode()))

    def _known_by(self, piece: Piece) -> str:
        """The name of a task that the file calls nothing: no file can call another one so. Equal lines are counted."""
        digest = f"\n{sha256(piece.data or b'').hexdigest()}"
        self._same[digest] = nth = self._same.get(digest, 0) + 1
        return digest if nth == 1 else f"{digest}\n{nth}"

    def _whom(self, whom: Whom) -> Whom:
        return (
            whom
            if whom.name is not None
            else msgspec.structs.replace(whom, name=self._said[whom.type].get(whom.id or ""))
        )

    async def _project(self, where: Where | None) -> str | None:
        if self._source.project_id is not None:
            return self._source.project_id
        if where is None:
            return None
        key = where.key or self._said["project"].get(where.id or "")
        return await self._names.project(Where(where.id, key))

    async def _blame(self, piece: Piece, refusal: Invalid) -> None:
        """A line that cannot be read, unless it is the file that cannot."""
        if refusal.code in _OF_THE_FILE:
            raise refusal
        self._count()
        await self._refuse(piece.line, refusal)

    async def _refuse(self, line: int, refusal: Rejection) -> None:
        self._contents.refused.add(line)
        problems = msgspec.json.encode([problem_of(refusal)]).decode()
        await self._add(NewRow(line, None, LineVerdict.REFUSED, problems=problems))

    def _count(self) -> None:
        contents = self._contents
        said = sum(map(len, self._said.values()))
        if contents.tasks + len(contents.refused) + contents.ignored + said >= LINES_MAX:
            raise Invalid("import.too_many", "/", f"a file has at most {LINES_MAX} lines; import it in parts")

    async def _add(self, row: NewRow) -> None:
        self._new.append(row)
        self._size += len(row.work or row.problems)
        await self._flush_if_many()

    async def _flush_if_many(self) -> None:
        if len(self._new) + len(self._lists) >= ROWS_AT_ONCE or self._size >= ROW_BYTES_AT_ONCE:
            await self._flush()

    async def _flush(self) -> None:
        if self._new:
            await self._rows.add(self._new)
        if self._lists:
            await self._rows.add_checklists(self._lists)
        self._new.clear()
        self._lists.clear()
        self._size = 0


def _whole(piece: Piece) -> bytes:
    if piece.data is None:
        raise Invalid("import.too_long", "/", "is longer than any task can be")
    return piece.data


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        detail = f"must be UTF-8, and is not at its byte {error.start + 1}"
        raise Invalid("import.encoding", "/", detail, repr(data[max(0, error.start - 20) : error.end])) from error


def _kind(document: Mapping[str, Any]) -> str:
    """What a line is: it says so by its one member, or is a task without further words. Raises `Invalid`."""
    if "title" in document:
        return "task"
    [kind, *more] = document or [""]
    if not more and (kind == "task" or isinstance(document.get(kind), dict)):
        return kind
    raise Invalid("import.value", "/title", "must be there, or one member that says what the line is")


def _decoded(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("import.json", "/", f"is no JSON: {error}", text[:200]) from error
    if not isinstance(document, dict):
        raise Invalid("import.json", "/", "must be an object", text[:200])
    return document
