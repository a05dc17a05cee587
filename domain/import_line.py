"""A task in a file: what a record of CSV or a line of JSON Lines says of it, and what is wrong with that.

Fields are those that an edit can set, whichever these are, and are of the types that the event of an edit has.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from domain.errors import Invalid
from domain.exchange import LISTS, parted, values_of
from domain.instant import EARLIEST, LATEST, instant
from domain.task import EDITABLE, TaskEdited
from domain.task_links import LinkType
from domain.workflow import Category

REFERENCE_MAX: Final = 200  # characters of what a file calls a task
COLUMNS: Final = frozenset(
    {
        *EDITABLE,
        *("id", "project", "status", "category", "assignee", "assignee_type", "assignee_id", "parent_id", "deleted_at"),
        *("blocked_by", "relates", "duplicates", "created_at", "completed_at"),
    }
)  # of CSV, of which something is taken
_LINKS: Final = (LinkType.BLOCKED_BY, LinkType.RELATES, LinkType.DUPLICATES)  # that have columns
_DATE_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")

T = TypeVar("T")


class Whom(msgspec.Struct, frozen=True):
    """Whom a task is given to: by id where it was exported, and by e-mail address or name of the team."""

    type: Literal["user", "team"] = "user"
    id: str | None = None
    name: str | None = None


class Where(msgspec.Struct, frozen=True):
    """The project that a task is in, by id where it was exported, and by key."""

    id: str | None = None
    key: str | None = None


class Item(msgspec.Struct, frozen=True):
    """An item of a checklist."""

    text: str
    checked: bool = False


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A task as a file describes it. `own` is what the file calls it; `parent` and `links` name others so."""

    own: str | None
    fields: TaskEdited
    status: str | None = None
    category: Category | None = None
    assignee: Whom | None = None
    project: Where | None = None
    parent: str | None = None
    links: tuple[tuple[LinkType, str], ...] = ()
    created_at: str | None = None
    completed_at: str | None = None


class _Assignee(msgspec.Struct, frozen=True):
    type: Literal["user", "team"]
    id: str


class _Link(msgspec.Struct, frozen=True):
    type: LinkType
    task_id: str


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a task's document besides its fields."""

    id: str | None = None
    status: str | None = None
    category: Category | None = None
    assignee: _Assignee | None = None
    project_id: str | None = None
    parent_id: str | None = None
    links: tuple[_Link, ...] = ()
    created_at: str | None = None
    completed_at: str | None = None
    deleted_at: str | None = None


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a record of CSV besides its fields."""

    id: str | None = None
    status: str | None = None
    category: Category | None = None
    assignee_type: Literal["user", "team"] = "user"
    assignee_id: str | None = None
    assignee: str | None = None
    project: str | None = None
    parent_id: str | None = None
    blocked_by: tuple[str, ...] = ()
    relates: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    created_at: str | None = None
    completed_at: str | None = None
    deleted_at: str | None = None


def of_document(document: object) -> Described:
    """A task out of its document, as JSON Lines hold it. Raises `Invalid`."""
    if not isinstance(document, dict):
        raise Invalid("import.value", "/task", "must be an object", repr(document)[:200])
    said = _converted(document, _Document)
    _check_is_there(said.deleted_at)
    return Described(
        own=_reference(said.id, "/id"),
        fields=_fields(document, strict=True),
        status=said.status,
        category=said.category,
        assignee=None if said.assignee is None else Whom(said.assignee.type, said.assignee.id),
        project=None if said.project_id is None else Where(id=said.project_id),
        parent=_reference(said.parent_id, "/parent_id"),
        links=tuple((link.type, _must(link.task_id, "/links")) for link in said.links),
        created_at=_moment(said.created_at, "/created_at"),
        completed_at=_moment(said.completed_at, "/completed_at"),
    )


def items_of(value: object) -> tuple[Item, ...]:
    """A checklist, as JSON Lines hold it. Raises `Invalid`."""
    try:
        return msgspec.convert(value, tuple[Item, ...])
    except msgspec.ValidationError as error:
        raise Invalid("import.value", "/checklist/items", str(error), _short(value)) from error


def of_record(record: Mapping[str, str], *, escaped: bool) -> Described:
    """A task out of a record of CSV. Raises `Invalid`."""
    values = values_of(record) if escaped else _plain(record)
    said = _converted(values, _Record)
    _check_is_there(said.deleted_at)
    given = said.assignee_id is not None or said.assignee is not None
    return Described(
        own=_reference(said.id, "/id"),
        fields=_fields(values, strict=False),
        status=said.status,
        category=said.category,
        assignee=Whom(said.assignee_type, said.assignee_id, said.assignee) if given else None,
        project=None if said.project is None else Where(key=said.project),
        parent=_reference(said.parent_id, "/parent_id"),
        links=tuple((kind, _must(each, f"/{kind}")) for kind in _LINKS for each in getattr(said, kind)),
        created_at=_moment(said.created_at, "/created_at"),
        completed_at=_moment(said.completed_at, "/completed_at"),
    )


def _plain(record: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a record that nobody escaped."""
    stripped = {name: value if name in ("title", "description") else value.strip() for name, value in record.items()}
    return {name: parted(value) if name in LISTS else value for name, value in stripped.items() if value}


def _fields(values: Mapping[str, Any], *, strict: bool) -> TaskEdited:
    """Those that an edit can set. A null is what is left out: nobody has chosen."""
    given = {name: values[name] for name in EDITABLE if values.get(name) is not None}
    if "title" not in given:
        raise Invalid("import.value", "/title", "must be there", None)
    if "due_on" in given:  # a day says when it is due, and the moment follows from it
        given.pop("due_at", None)
    edit = _converted(given, TaskEdited, strict=strict)
    moments = {name: _moment(getattr(edit, name), f"/{name}") for name in given if name.endswith("_at")}
    return replace(edit, **moments) if moments else edit


def _converted(values: Mapping[str, Any], kind: type[T], *, strict: bool = True) -> T:
    try:
        return msgspec.convert(values, kind, strict=strict)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `$")
        pointer = place.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        first = pointer.split("/")[1] if pointer else ""
        value = values.get(first)
        raise Invalid("import.value", pointer or "/", f"{detail[0].lower()}{detail[1:]}", _short(value)) from error


def _moment(text: str | None, pointer: str) -> str | None:
    """A time as the log keeps it."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if not _DATE_AND_TIME.match(text) or moment.tzinfo is None or not EARLIEST <= moment <= LATEST:
            raise ValueError(text)
    except (ValueError, OverflowError) as error:
        detail = "must be a date and time of RFC 3339, such as 2027-01-31T17:00:00Z"
        raise Invalid("import.value", pointer, detail, text[:200]) from error
    return instant(moment)


def _reference(text: str | None, pointer: str) -> str | None:
    return None if text is None else _must(text, pointer)


def _must(text: str, pointer: str) -> str:
    if not 1 <= len(text) <= REFERENCE_MAX or not text.isprintable():
        detail = f"must be 1 to {REFERENCE_MAX} characters that can be printed"
        raise Invalid("import.value", pointer, detail, text[:200])
    return text


def _check_is_there(deleted_at: str | None) -> None:
    if deleted_at is not None:
        raise Invalid("import.trashed", "/deleted_at", "is in the trash; export without trashed=true", deleted_at)


def _short(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:200]
