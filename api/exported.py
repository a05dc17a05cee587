"""The text of an export: what is written for each part of its tasks, as CSV or as JSON Lines."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from api.reading import Reading
from domain import checklist, timesheet
from domain.checklist import Checklist
from domain.exchange import (
    BOM,
    FORMAT,
    HEADER,
    Begin,
    End,
    ExportedChecklist,
    ExportedComment,
    ExportedEntry,
    ExportedItem,
    ExportedProject,
    ExportedTeam,
    ExportedUser,
    Include,
    Line,
    Names,
    cells,
    line,
    records,
    task_line,
)
from domain.talk import Part, stream_of
from domain.task_fields import Assignee
from domain.timesheet import Timesheet
from projections import exports, tasks
from projections.exports import Named
from projections.folding import folded

if TYPE_CHECKING:
    from api.exporting import Shown


class _Refers(msgspec.Struct):
    """Whom and what the document of a task names."""

    id: str
    created_by: str
    project_id: str | None
    assignee: Assignee | None


_refers: Final = msgspec.json.Decoder(_Refers).decode


class Known:
    """The names that an export has looked up: each is asked for once."""

    def __init__(self, read: Reading) -> None:
        self._read = read
        self._asked: set[str] = set()
        self.names = Names({}, {}, {})

    async def learn(self, found: Iterable[_Refers], users: Iterable[str] = ()) -> Named:
        """Look up whom these name, and these users. Answers what is new."""
        projects, teams, people = set[str](), set[str](), set(users)
        for one in found:
            people.add(one.created_by)
            if one.project_id is not None:
                projects.add(one.project_id)
            if one.assignee is not None:
                (people if one.assignee.type == "user" else teams).add(one.assignee.id)
        asked = [kind - self._asked for kind in (projects, teams, people)]
        if not any(asked):
            return Named([], [], [])
        self._asked.update(*asked)
        new = await exports.named(self._read.services.pool, self._read.workspace_id, *asked)
        self.names.projects.update((project_id, key) for project_id, key, _ in new.projects)
        self.names.teams.update(new.teams)
        self.names.users.update((user_id, email) for user_id, email, _ in new.users)
        return new


class Csv:
    """One record a task."""

    suffix: Final = "csv"
    media_type: Final = "text/csv; charset=utf-8; header=present"

    def __init__(self, read: Reading, _: "Shown", __: frozenset[Include], *, bom: bool) -> None:
        self._known = Known(read)
        self._bom = bom

    def begin(self) -> str:
        """The header."""
        return (BOM if self._bom else "") + records([HEADER])

    async def part(self, documents: Sequence[str]) -> AsyncIterator[str]:
        """The records of some tasks."""
        await self._known.learn(map(_refers, documents))
        yield records(cells(tasks.decode(document), self._known.names) for document in documents)

    def end(self) -> str:
        """Nothing: a record more would be a task more."""
        return ""


class Jsonl:
    """One line a task, and others for what it names and what is around it."""

    suffix: Final = "jsonl"
    media_type: Final = "application/jsonl"

    def __init__(self, read: Reading, shown: "Shown", include: frozenset[Include], *, bom: bool) -> None:
        self._read = read
        self._shown = shown
        self._include = include
        self._known = Known(read)
        self._tasks = 0

    def begin(self) -> str:
        """The first line."""
        begin = Begin(
            format=FORMAT,
            position=self._shown.position,
            epoch=self._read.services.epoch,
            workspace_id=self._read.workspace_id,
            exported_at=self._shown.at,
            tasks=self._shown.tasks,
        )
        return line(Line(export=begin))

    async def part(self, documents: Sequence[str]) -> AsyncIterator[str]:
        """The lines of some tasks, behind those of the names in them, before those of what is around them."""
        found = [_refers(document) for document in documents]
        self._tasks += len(found)
        yield "".join((*_naming(await self._known.learn(found)), *map(task_line, documents)))
        task_ids = [one.id for one in found]
        async for piece in self._checklists(task_ids):
            yield piece
        if Include.COMMENTS in self._include:
            async for piece in self._comments(task_ids):
                yield piece
        if Include.TIME in self._include:
            async for piece in self._entries(task_ids):
                yield piece

    def end(self) -> str:
        """The last line."""
        return line(Line(end=End(tasks=self._tasks, position=self._shown.position)))

    async def _checklists(self, task_ids: Sequence[str]) -> AsyncIterator[str]:
        ids = [stream_of(task_id, Part.CHECKLIST) for task_id in task_ids]
        states: AsyncIterator[Checklist] = folded(
            self._read.services.pool, self._read.workspace_id, ids, self._shown.position, checklist.evolve
        )
        async for state in states:
            if state.items:
                items = tuple(ExportedItem(text=item.text, checked=item.checked) for item in state.items)
                yield line(Line(checklist=ExportedChecklist(task_id=state.task_id, items=items)))

    async def _comments(self, task_ids: Sequence[str]) -> AsyncIterator[str]:
        pool, workspace_id = self._read.services.pool, self._read.workspace_id
        async for some in exports.comments_of(pool, workspace_id, task_ids, self._shown.position):
            new = await self._known.learn((), {comment.created_by for comment in some})
            lines = [
                line(Line(comment=msgspec.convert(comment, ExportedComment, from_attributes=True))) for comment in some
            ]
            yield "".join((*_naming(new), *lines))

    async def _entries(self, task_ids: Sequence[str]) -> AsyncIterator[str]:
        ids = [stream_of(task_id, Part.TIMESHEET) for task_id in task_ids]
        states: AsyncIterator[Timesheet] = folded(
            self._read.services.pool, self._read.workspace_id, ids, self._shown.position, timesheet.evolve
        )
        async for state in states:
            new = await self._known.learn((), {entry.user_id for entry in state.entries})
            lines = [
                line(
                    Line(
                        time_entry=ExportedEntry(
                            id=entry.id,
                            task_id=state.task_id,
                            user_id=entry.user_id,
                            minutes=entry.minutes,
                            on=entry.on,
                            note=entry.note,
                        )
                    )
                )
                for entry in state.entries
            ]
            yield "".join((*_naming(new), *lines))


def _naming(new: Named) -> Iterator[str]:
    for project_id, key, name in new.projects:
        yield line(Line(project=ExportedProject(id=project_id, key=key, name=name)))
    for team_id, name in new.teams:
        yield line(Line(team=ExportedTeam(id=team_id, name=name)))
    for user_id, email, display_name in new.users:
        yield line(Line(user=ExportedUser(id=user_id, email=email, display_name=display_name)))
