"""What a query can ask for: the fields by name, with what each of them takes and how it can be compared."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from domain.query_dates import EXPECTED as DATE
from domain.query_dates import is_when
from domain.task_fields import Priority
from domain.text import TAG_MAX
from domain.workflow import Category

EQUAL: Final = (":",)
ORDERED: Final = (":", "<", "<=", ">", ">=")
NONE: Final = "none"


class Kind(StrEnum):
    """What the values of a field are."""

    NAME = "name"
    CATEGORY = "category"
    PRIORITY = "priority"
    PERSON = "person"
    MEMBER = "member"
    PROJECT = "project"
    TASK = "task"
    KEY = "key"
    SERIES = "series"
    WHEN = "when"
    MINUTES = "minutes"
    STATE = "state"
    PART = "part"


class Wrong(NamedTuple):
    """What was expected in place of a value, and what may have been meant."""

    expected: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A field: the `kind` of its values, its `operators`, and what a sort by it is called, if there is one."""

    name: str
    kind: Kind
    meaning: str
    operators: tuple[str, ...] = EQUAL
    sort: str | None = None
    others: tuple[str, ...] = ()
    absent: bool = False  # `none` is a value

    @property
    def expected(self) -> str:
        """What a value has to be, in words."""
        return _EXPECTED[self.kind] + (" or none" if self.absent and self.kind is not Kind.PERSON else "")

    def check(self, value: str, operator: str) -> Wrong | None:
        """What is wrong with a value; None: nothing."""
        if self.absent and value == NONE:
            return None if operator == ":" else Wrong(f"{_EXPECTED[self.kind]} to compare with")
        names = _NAMES.get(self.kind)
        if names is not None:
            return None if value in names else Wrong(f"one of {', '.join(names)}", nearest(value, names))
        return None if _TAKES[self.kind](value) else Wrong(self.expected if operator == ":" else _EXPECTED[self.kind])


STATES: Final = ("open", "active", "done", "cancelled", "closed", "overdue", "assigned", "unassigned", "blocked")
PARTS: Final = (
    *("comment", "attachment", "due", "description", "estimate", "assignee", "project", "parent", "subtasks"),
    *("dependencies", "tags"),
)
_NAMES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.CATEGORY: tuple(each.value for each in Category),
    Kind.PRIORITY: tuple(each.value for each in Priority),
    Kind.STATE: STATES,
    Kind.PART: PARTS,
}
_EXPECTED: Final = {
    Kind.NAME: f"a name of at most {TAG_MAX} characters",
    Kind.CATEGORY: "a category",
    Kind.PRIORITY: "a priority",
    Kind.PERSON: "me, none, or the id of a member or a team",
    Kind.MEMBER: "me, or the id of a member",
    Kind.PROJECT: "the key of a project such as APP, or its id",
    Kind.TASK: "the key of a task such as APP-17, or its id",
    Kind.KEY: "the key of a task such as APP-17",
    Kind.SERIES: "the id of a series",
    Kind.WHEN: DATE,
    Kind.MINUTES: "minutes such as 90, 90m or 1.5h",
    Kind.STATE: f"one of {', '.join(STATES)}",
    Kind.PART: f"one of {', '.join(PARTS)}",
}
KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,9}-[1-9][0-9]{0,8}")
PROJECT_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,9}")
_MINUTES: Final = re.compile(r"([0-9]{1,7})m?|([0-9]{1,5}(?:\.[0-9]{1,2})?)h")


def is_id(value: str) -> bool:
    """Whether it is a UUID."""
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def minutes(value: str) -> int:
    """A number of minutes: `90`, `90m`, `1.5h`. Raises `ValueError`."""
    found = _MINUTES.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return int(found[1]) if found[1] else round(float(found[2]) * 60)


_TAKES: Final[Mapping[Kind, Callable[[str], bool]]] = {
    Kind.NAME: lambda value: 0 < len(value) <= TAG_MAX,
    Kind.PERSON: lambda value: value in ("me", NONE) or is_id(value),
    Kind.MEMBER: lambda value: value == "me" or is_id(value),
    Kind.PROJECT: lambda value: PROJECT_KEY.fullmatch(value) is not None or is_id(value),
    Kind.TASK: lambda value: KEY.fullmatch(value) is not None or is_id(value),
    Kind.KEY: lambda value: KEY.fullmatch(value) is not None,
    Kind.SERIES: is_id,
    Kind.WHEN: is_when,
    Kind.MINUTES: lambda value: _MINUTES.fullmatch(value) is not None,
}

FIELDS: Final = {
    each.name: each
    for each in (
        Field("status", Kind.NAME, "the status, or all of a category: `open`, `active`, `done`, `cancelled`"),
        Field("category", Kind.CATEGORY, "what the status stands for in every workflow"),
        Field("priority", Kind.PRIORITY, "how urgent it is", ORDERED, "priority"),
        Field("assignee", Kind.PERSON, "who has it", others=("assigned",), absent=True),
        Field("creator", Kind.MEMBER, "who wrote it down", others=("created_by", "author")),
        Field("project", Kind.PROJECT, "the project that it is in", others=("project_id",), absent=True),
        Field("parent", Kind.TASK, "the task that it is a part of", others=("parent_id",), absent=True),
        Field("key", Kind.KEY, "its key in its project"),
        Field("series", Kind.SERIES, "the series that it is an occurrence of", others=("series_id",), absent=True),
        Field(
            "tag",
            Kind.NAME,
            "a tag that it has; what a tag was called before a renaming stands for it",
            others=("tags",),
        ),
        Field("due", Kind.WHEN, "when it is due", ORDERED, "due_at", ("due_at",), absent=True),
        Field("created", Kind.WHEN, "when it was written down", ORDERED, "created_at", ("created_at",)),
        Field("updated", Kind.WHEN, "when it last changed", ORDERED, "updated_at", ("updated_at",)),
        Field("completed", Kind.WHEN, "when it was done", ORDERED, None, ("completed_at",), absent=True),
        Field("estimate", Kind.MINUTES, "how long it should take", ORDERED, absent=True),
        Field("is", Kind.STATE, "what it is now"),
        Field("has", Kind.PART, "what it has"),
    )
}
# By every name that a field has.
NAMES: Final = {other: name for name, each in FIELDS.items() for other in (name, *each.others)}
# What can be sorted by, and what the sort is called elsewhere.
SORTABLE: Final = {each.name: each.sort for each in FIELDS.values() if each.sort} | {"title": "title"}


def sort_named(name: str) -> str | None:
    """The sort that a name means, by any name of its field; None: there is none."""
    return SORTABLE.get(NAMES.get(name, name))


def nearest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to three of the names that look most like one."""
    return tuple(get_close_matches(name.lower(), list(dict.fromkeys(names)), 3, 0.6))
