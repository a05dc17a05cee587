"""The format in which tasks leave and come back: columns of CSV, lines of JSON Lines, and how text is made safe.

`docs/exports.md` says it for people. Whoever writes and whoever reads use what stands here.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from domain.task import Task
from domain.task_fields import Assignee
from domain.task_links import LinkType

FORMAT: Final = 1  # raised when what is written could not be read by a program that knows the one before
BOM: Final = "\ufeff"


class Format(StrEnum):
    """As what tasks are written."""

    CSV = "csv"
    JSONL = "jsonl"


class Include(StrEnum):
    """What is written of a task, beside itself, where it is asked for."""

    COMMENTS = "comments"
    TIME = "time"


# What begins a formula in a spreadsheet (OWASP, CSV Injection), full-width forms included; a program that splits a line
# at another separator, or takes a quote for an end, sees a cell begin in the middle of ours.
_BEGINS: Final = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_SEPARATORS: Final = ',;|"\t\r\n'
_RISKY: Final = re.compile(rf"(\A|[{_SEPARATORS}])(?='| *[{_BEGINS}])")
_SEPARATED: Final = re.compile(f"[{_SEPARATORS}]")
_FIRST: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20' ")
_ESCAPED: Final = re.compile(rf"(\A|[{_SEPARATORS}])'")

_IN_LIST: Final = re.compile(r"[\\;]|\A | \Z")
_ITEM: Final = re.compile(r"(?:[^\\;]|\\.)*", re.DOTALL)
_WRITTEN: Final = re.compile(r"\\(.)", re.DOTALL)
_CUT: Final = re.compile(r"(?:[^\\]|\\.)*\\\Z", re.DOTALL)  # ends within what a backslash writes


def escape(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe before whatever could begin one.

    Also before an apostrophe in such a place, so that `unescape` gives back exactly what was there.
    """
    if text[:1] in _FIRST or _SEPARATED.search(text):  # a fifth of the time where there is nothing to do, as mostly
        return _RISKY.sub(r"\1'", text)
    return text


def unescape(text: str) -> str:
    """The text that was escaped."""
    return _ESCAPED.sub(r"\1", text)


def joined(items: Iterable[str]) -> str:
    r"""A list in one cell: `a;b`, with `\` before a `;` or `\` in an item, and a blank that it begins or ends with."""
    return ";".join(_IN_LIST.sub(r"\\\g<0>", item) for item in items)


def parted(cell: str) -> list[str]:
    """The items of a list in one cell, without blanks around them; those that are empty are none."""
    items, at = [], 0
    while at <= len(cell):
        found = _ITEM.match(cell, at)
        assert found is not None  # nothing matches, too
        items.append(_item(found[0]))
        at = found.end() + 1
    return [item for item in items if item]


def _item(written: str) -> str:
    bare = written.strip(" ")
    return _WRITTEN.sub(r"\1", f"{bare} " if _CUT.match(bare) and written.endswith(f"{bare} ") else bare)


class Names(NamedTuple):
    """What ids stand for: the e-mail addresses of users, the names of teams, the keys of projects."""

    users: dict[str, str]
    teams: dict[str, str]
    projects: dict[str, str]

    def assignee(self, assignee: Assignee | None) -> str:
        """The address or the name of an assignee; empty for nobody, and for who is not known."""
        if assignee is None:
            return ""
        return (self.users if assignee.type == "user" else self.teams).get(assignee.id, "")


class Column(NamedTuple):
    """A column of the CSV: what it holds of a task. `text`: people wrote it, so it is escaped."""

    name: str
    of: Callable[[Task, Names], str | int | None]
    text: bool = False


def _linked(kind: LinkType) -> Callable[[Task, Names], str]:
    return lambda task, _: ";".join([link.task_id for link in task.links if link.type is kind])


COLUMNS: Final = (
    Column("id", lambda task, _: task.id),
    Column("key", lambda task, _: task.key),
    Column("project", lambda task, names: names.projects.get(task.project_id or "", ""), text=True),
    Column("title", lambda task, _: task.title, text=True),
    Column("description", lambda task, _: task.description, text=True),
    Column("status", lambda task, _: task.status, text=True),
    Column("category", lambda task, _: task.category),
    Column("priority", lambda task, _: task.priority),
    Column("start_at", lambda task, _: task.start_at),
    Column("due_at", lambda task, _: task.due_at),
    Column("due_on", lambda task, _: task.due_on),
    Column("due_zone", lambda task, _: task.due_zone, text=True),
    Column("overdue_since", lambda task, _: task.overdue_since),
    Column("estimate_minutes", lambda task, _: task.estimate_minutes),
    Column("assignee_type", lambda task, _: None if task.assignee is None else task.assignee.type),
    Column("assignee_id", lambda task, _: None if task.assignee is None else task.assignee.id),
    Column("assignee", lambda task, names: names.assignee(task.assignee), text=True),
    Column("parent_id", lambda task, _: task.parent_id),
    Column("blocked_by", _linked(LinkType.BLOCKED_BY)),
    Column("relates", _linked(LinkType.RELATES)),
    Column("duplicates", _linked(LinkType.DUPLICATES)),
    Column("tags", lambda task, _: joined(task.tags), text=True),
    Column("created_by", lambda task, _: task.created_by),
    Column("creator", lambda task, names: names.users.get(task.created_by, ""), text=True),
    Column("created_at", lambda task, _: task.created_at),
    Column("updated_at", lambda task, _: task.updated_at),
    Column("completed_at", lambda task, _: task.completed_at),
    Column("deleted_at", lambda task, _: task.deleted_at),
    Column("version", lambda task, _: task.version),
)
HEADER: Final = tuple(column.name for column in COLUMNS)
LISTS: Final = frozenset({"blocked_by", "relates", "duplicates", "tags"})


def cells(task: Task, names: Names) -> list[str | int | None]:
    """A task as a record of the CSV."""
    return [_cell(column, column.of(task, names)) for column in COLUMNS]


def _cell(column: Column, value: str | int | None) -> str | int | None:
    return escape(value) if column.text and isinstance(value, str) else value


def records(rows: Iterable[Sequence[object]]) -> str:
    """Records of CSV (RFC 4180): every field in quotes, lines that end with CR LF. None is an empty field."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def values_of(record: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The fields of a record by the names of their columns, as they were before `cells` and with lists as lists.

    Every field is unescaped, so a record that was not made here should not come by this way unless its apostrophes
    mean the same. What is empty is left out.
    """
    found = {name: unescape(value) for name, value in record.items() if value}
    return {name: parted(value) if name in LISTS else value for name, value in found.items()}


# ------------------------------------------------------------------------------------------------------- JSON Lines


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """The first line, `{"export": …}`. `tasks` is how many will follow, null where that is not known yet."""

    format: int
    position: int
    epoch: str
    workspace_id: str
    exported_at: str
    tasks: int | None


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The last line, `{"end": …}`: whoever does not get it did not get everything."""

    tasks: int
    position: int


class ExportedProject(msgspec.Struct, frozen=True, kw_only=True):
    """`{"project": …}`: before the first task that is in it."""

    id: str
    key: str
    name: str


class ExportedTeam(msgspec.Struct, frozen=True, kw_only=True):
    """`{"team": …}`: before the first line that names it."""

    id: str
    name: str


class ExportedUser(msgspec.Struct, frozen=True, kw_only=True):
    """`{"user": …}`: before the first line that names them."""

    id: str
    email: str
    display_name: str


class ExportedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a checklist."""

    text: str
    checked: bool


class ExportedChecklist(msgspec.Struct, frozen=True, kw_only=True):
    """`{"checklist": …}`: after its task, if it has items, which are in their order."""

    task_id: str
    items: tuple[ExportedItem, ...]


class ExportedComment(msgspec.Struct, frozen=True, kw_only=True):
    """`{"comment": …}`: after its task, oldest first, so after the comment that it answers."""

    id: str
    task_id: str
    body: str
    reply_to: str | None
    created_by: str
    created_at: str
    edited_at: str | None


class ExportedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`{"time_entry": …}`: after its task."""

    id: str
    task_id: str
    user_id: str
    minutes: int
    on: str
    note: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line: an object with one member, whose name says what the line is. A reader passes by names that it does not
    know, and members of a document that it does not know."""

    export: Begin | None = None
    project: ExportedProject | None = None
    team: ExportedTeam | None = None
    user: ExportedUser | None = None
    task: Task | None = None
    checklist: ExportedChecklist | None = None
    comment: ExportedComment | None = None
    time_entry: ExportedEntry | None = None
    end: End | None = None


_ENCODE: Final = msgspec.json.Encoder().encode


def line(of: Line) -> str:
    """A line with its end."""
    return f"{_ENCODE(of).decode()}\n"


def task_line(document: str) -> str:
    """The line of a task that is a document already."""
    return f'{{"task":{document}}}\n'
