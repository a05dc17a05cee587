"""Due tasks as iCalendar (RFC 5545), for calendars that subscribe to a feed."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from icalendar import Calendar, Component, Event, Todo

from api.version import VERSION
from projections.dues import Due

REFRESH: Final = timedelta(hours=1)
_FORM: Final = "1"  # raised when the same tasks are written in another way: then no tag of before fits
_PRIORITIES: Final = (7, 5, 3, 1)  # by rank: 1 is the highest, 9 the lowest (RFC 5545 §3.8.1.9)


class Shape(StrEnum):
    """As what a task is shown."""

    EVENT = "event"
    TODO = "todo"


def tag(name: str, shape: Shape, dues: Sequence[Due]) -> str:
    """An entity tag: the same for the same text."""
    parts = (_FORM, VERSION, name, shape, *(f"{due.id}:{due.version}" for due in dues))
    return f'"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"'


def render(name: str, shape: Shape, dues: Sequence[Due]) -> bytes:
    """The calendar. What it says of a task follows from the task alone, so the same tasks are the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", f"-//Taskfold//Taskfold {VERSION}//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _plain(name))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", REFRESH)
    for due in dues:
        calendar.add_component(_event(due) if shape is Shape.EVENT else _todo(due))
    return bytes(calendar.to_ical())


def _event(due: Due) -> Event:
    """All day where it is due by the end of a day; else a moment: an event without an end takes no time."""
    event = Event()
    _common(event, due)
    event.add("dtstart", _when(due))
    event.add("transp", "TRANSPARENT")
    return event


def _todo(due: Due) -> Todo:
    todo = Todo()
    _common(todo, due)
    todo.add("due", _when(due))
    if due.start_at is not None and due.due_on is None:  # both must be of one type (RFC 5545 §3.8.2.4)
        todo.add("dtstart", due.start_at.astimezone(UTC))
    todo.add("status", "IN-PROCESS" if due.category == "active" else "NEEDS-ACTION")
    return todo


def _common(component: Component, due: Due) -> None:
    component.add("uid", due.id)
    component.add("sequence", due.version - 1)
    component.add("dtstamp", due.updated_at.astimezone(UTC))
    component.add("created", due.created_at.astimezone(UTC))
    component.add("last-modified", due.updated_at.astimezone(UTC))
    component.add("summary", _plain(due.title if due.key is None else f"{due.key} {due.title}"))
    component.add("priority", _PRIORITIES[due.priority])
    if due.description:
        component.add("description", _plain(due.description))
    if due.tags:
        component.add("categories", [_plain(name) for name in due.tags])


def _when(due: Due) -> date | datetime:
    return due.due_at.astimezone(UTC) if due.due_on is None else due.due_on


def _plain(text: str) -> str:
    """Without the control characters that no text of iCalendar may have (RFC 5545 §3.1), with LF for line ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in lines if (char >= " " and char != "\x7f") or char in "\n\t")
