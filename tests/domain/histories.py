"""Hypothesis strategies: any event that a stream may hold, and whole histories of tasks."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from domain.events import Event, Meta, Recorded, registered
from domain.instant import EARLIEST, LATEST, instant
from domain.task import (
    MOVES,
    Assignee,
    Priority,
    TaskAssigned,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskRestored,
    TaskUnassigned,
)
from domain.user import Role, UserJoined, UserProfileChanged, UserRoleChanged
from domain.workflow import Category
from domain.workspace import AdminAdded, AdminRemoved, WorkspaceFounded
from tests.domain.given import TASK

IDS = st.uuids().map(str)
TEXT = st.text(max_size=20)
TAGS = st.lists(TEXT, max_size=3).map(tuple)
INSTANTS = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.timezones()).map(
    instant
)
ROLES = st.sampled_from(Role)
UNSET = st.just(msgspec.UNSET)
STATUS: dict[str, st.SearchStrategy[Any]] = {"status": TEXT, "category": st.sampled_from(Category)}
REASON: dict[str, st.SearchStrategy[Any]] = {"reason": st.none() | TEXT}

CREATIONS = st.builds(
    TaskCreated,
    title=TEXT,
    description=TEXT,
    priority=st.sampled_from(Priority),
    due_at=st.none() | INSTANTS,
    tags=TAGS,
    **STATUS,
)
TASK_CHANGES: list[st.SearchStrategy[Event]] = [
    st.builds(
        TaskEdited,
        title=UNSET | TEXT,
        description=UNSET | TEXT,
        priority=UNSET | st.sampled_from(Priority),
        due_at=UNSET | st.none() | INSTANTS,
        tags=UNSET | TAGS,
    ),
    st.builds(TaskAssigned, assignee=st.builds(Assignee, type=st.sampled_from(["user", "team"]), id=IDS)),
    st.builds(TaskUnassigned),
    st.builds(TaskDeleted, **REASON),
    st.builds(TaskRestored, **REASON),
    *(st.builds(move, **STATUS, **REASON) for move in MOVES.values()),
]
OTHERS: list[st.SearchStrategy[Event]] = [
    st.builds(UserJoined, role=ROLES),
    st.builds(UserRoleChanged, role=ROLES),
    st.builds(UserProfileChanged, fields=st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(WorkspaceFounded, admin_id=IDS),
    st.builds(AdminAdded, user_id=IDS),
    st.builds(AdminRemoved, user_id=IDS),
]
EVENTS: st.SearchStrategy[Event] = st.one_of(CREATIONS, *TASK_CHANGES, *OTHERS)
METAS = st.builds(Meta, actor=IDS, correlation_id=TEXT, causation_id=IDS)


def task_histories(most: int = 12) -> st.SearchStrategy[list[Recorded]]:
    """A creation and whatever may follow it, as the log holds them."""
    events = st.tuples(CREATIONS, st.lists(st.one_of(TASK_CHANGES), max_size=most))
    return st.builds(_logged, events.map(lambda pair: [pair[0], *pair[1]]), METAS, INSTANTS)


def _logged(events: list[Event], meta: Meta, at: str) -> list[Recorded]:
    return [Recorded(version * 3, TASK, version, event, meta, at) for version, event in enumerate(events, 1)]


def kinds() -> set[str]:
    """The kinds of streams: the first part of every registered name."""
    return {name.partition(".")[0] for name, _ in registered()}
