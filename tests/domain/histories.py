"""Hypothesis strategies: any event that a stream may hold, and whole histories of tasks."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from domain.events import Event, Meta, Recorded, registered
from domain.instant import EARLIEST, LATEST, instant
from domain.task import (
    MOVES,
    TaskAssigned,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskMovedOn,
    TaskProjectChanged,
    TaskRestored,
    TaskStatusMapped,
    TaskStatusRestored,
    TaskUnassigned,
)
from domain.task_fields import Assignee, Priority
from domain.task_links import (
    LinkType,
    TaskBlockerClosed,
    TaskBlockerReopened,
    TaskLinked,
    TaskParentChanged,
    TaskSubtaskAdded,
    TaskSubtaskClosed,
    TaskSubtaskRemoved,
    TaskSubtaskReopened,
    TaskUnlinked,
)
from domain.task_series import TaskFollowed, TaskSeriesJoined, TaskSeriesLeft
from domain.task_time import TaskDuePassed
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
DAYS = st.dates(EARLIEST.date(), LATEST.date()).map(str)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"])
ROLES = st.sampled_from(Role)
UNSET = st.just(msgspec.UNSET)
STATUS: dict[str, st.SearchStrategy[Any]] = {"status": TEXT, "category": st.sampled_from(Category)}
ESTIMATES = st.none() | st.integers(1, 600_000)
FEW_IDS = st.sampled_from([f"00000000-0000-7000-8000-00000000011{n}" for n in range(3)])  # so that events meet
LINK_TYPES = st.sampled_from(LinkType)
REASON: dict[str, st.SearchStrategy[Any]] = {"reason": st.none() | TEXT}

CREATIONS = st.builds(
    TaskCreated,
    title=TEXT,
    description=TEXT,
    priority=st.sampled_from(Priority),
    due_at=st.none() | INSTANTS,
    tags=TAGS,
    estimate_minutes=ESTIMATES,
    project_id=st.none() | IDS,
    key=st.none() | TEXT,
    parent_id=st.none() | IDS,
    start_at=st.none() | INSTANTS,
    due_on=st.none() | DAYS,
    due_zone=st.none() | ZONES,
    created_by=st.none() | IDS,
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
        estimate_minutes=UNSET | ESTIMATES,
        start_at=UNSET | st.none() | INSTANTS,
        due_on=UNSET | st.none() | DAYS,
        due_zone=UNSET | st.none() | ZONES,
    ),
    st.builds(TaskDuePassed, due_at=INSTANTS),
    st.builds(TaskSeriesJoined, series_id=IDS, occurrence=INSTANTS, next_at=st.none() | INSTANTS),
    st.builds(TaskFollowed, by=st.none() | IDS),
    st.builds(TaskSeriesLeft),
    st.builds(TaskAssigned, assignee=st.builds(Assignee, type=st.sampled_from(["user", "team"]), id=IDS)),
    st.builds(TaskUnassigned),
    st.builds(TaskDeleted, **REASON),
    st.builds(TaskRestored, **REASON),
    *(st.builds(move, **STATUS, **REASON, despite=st.lists(IDS, max_size=2).map(tuple)) for move in MOVES.values()),
    st.builds(TaskMovedOn, move=TEXT, **STATUS, **REASON),
    st.builds(TaskStatusMapped, **STATUS),
    st.builds(TaskStatusRestored, **STATUS, completed_at=st.none() | INSTANTS),
    st.builds(TaskProjectChanged, project_id=st.none() | IDS, key=st.none() | TEXT, **STATUS),
    st.builds(TaskParentChanged, parent_id=st.none() | IDS),
    st.builds(TaskSubtaskAdded, task_id=FEW_IDS, closed=st.booleans()),
    *(st.builds(kind, task_id=FEW_IDS) for kind in (TaskSubtaskRemoved, TaskSubtaskClosed, TaskSubtaskReopened)),
    st.builds(TaskLinked, type=LINK_TYPES, task_id=FEW_IDS, closed=st.booleans(), **REASON),
    st.builds(TaskUnlinked, type=LINK_TYPES, task_id=FEW_IDS),
    st.builds(TaskBlockerClosed, task_id=FEW_IDS, freed=st.booleans()),
    st.builds(TaskBlockerReopened, task_id=FEW_IDS),
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
