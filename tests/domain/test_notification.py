"""Who is told of an event, and why."""

from collections.abc import Iterable
from typing import Any

from domain import notification
from domain.comment import CommentEdited, CommentPosted
from domain.events import Erased, Event, Recorded, name_of
from domain.notification import Reason
from domain.talk import Part, stream_of
from domain.task import TaskAssigned, TaskDeleted, TaskEdited, TaskStatusMapped, TaskUnassigned
from domain.task_fields import Assignee
from domain.task_links import TaskBlockerClosed
from domain.team import TeamDeleted, TeamRole
from domain.user import Role, UserDeactivated
from domain.watching import WatcherAdded, WatcherRemoved, Why
from domain.workflow import Category
from tests.domain.given import ADA, BOB, EVE, MAX, TASK, TEAM, ZOE, Given, person

WATCHING = stream_of(TASK, Part.WATCHING)
COMMENT = "00000000-0000-7000-8000-000000000301"


def _given() -> Given:
    """Bob's task, given to the team of Zoe and Eve; Ada is a manager who watches, Max was put on the list."""
    given = Given().member(ADA, Role.MANAGER).member(BOB).member(EVE).member(ZOE).member(MAX)
    given.team(TEAM, {ZOE: TeamRole.LEAD, EVE: TeamRole.MEMBER})
    given.task(TASK, by=BOB)
    for user_id in (ADA, MAX):
        given.happened(WATCHING, WatcherAdded(task_id=TASK, user_id=user_id, why=Why.EXPLICIT))
    return given.happened(TASK, TaskAssigned(assignee=Assignee(type="team", id=TEAM)), by=BOB)


def _all(log: Iterable[Recorded]) -> list[dict[str, Reason]]:
    """For each event, who was told."""
    known: dict[str, Any] = {}
    found = []
    for event in log:
        before = known.get(event.stream_id)
        known[event.stream_id] = notification.evolve(before, event)
        told = notification.told(event, before, known)
        found.append({} if told is None else told.reasons)
    return found


def _last(given: Given) -> dict[str, Reason]:
    return _all(given.log)[-1]


def test_the_assigned_hear_that_and_watchers_who_see_it_that_something_changed() -> None:
    given = _given()
    assert _last(given) == {ZOE: Reason.ASSIGNED, EVE: Reason.ASSIGNED, ADA: Reason.UPDATED}
    assert _last(given.happened(TASK, TaskEdited(title="new"), by=ADA)) == {BOB: Reason.UPDATED}
    assert _last(given.happened(TASK, TaskEdited(title="newer"), by=BOB)) == {ADA: Reason.UPDATED}
    given.happened(WATCHING, WatcherRemoved(task_id=TASK, user_id=BOB))
    assert _last(given.happened(TASK, TaskDeleted(), by=ADA)) == {}


def test_a_mention_weighs_more_than_a_change_and_counts_once() -> None:
    given = _given().happened(COMMENT, CommentPosted(task_id=TASK, body="", mentions=(BOB, EVE)), by=ZOE)
    assert _last(given) == {BOB: Reason.MENTIONED, EVE: Reason.MENTIONED, ADA: Reason.UPDATED}
    given.happened(COMMENT, CommentEdited(body="", mentions=(BOB, ADA, ZOE)), by=ZOE)
    assert _last(given) == {ADA: Reason.MENTIONED}


def test_who_holds_or_watches_a_task_hears_that_it_is_free() -> None:
    given = _given()
    assert _last(given.happened(TASK, TaskBlockerClosed(task_id=COMMENT, freed=False), by=ADA)) == {}
    given.happened(TASK, TaskBlockerClosed(task_id=COMMENT, freed=True), by=EVE)
    assert _last(given) == {BOB: Reason.UNBLOCKED, ADA: Reason.UNBLOCKED, ZOE: Reason.UNBLOCKED}
    given.happened(TASK, TaskUnassigned(), by=BOB)
    given.happened(TASK, TaskAssigned(assignee=person(MAX)), by=ADA)
    given.happened(TASK, TaskBlockerClosed(task_id=COMMENT, freed=True), by=ADA)
    assert _last(given) == {BOB: Reason.UNBLOCKED, MAX: Reason.UNBLOCKED}


def test_nobody_hears_who_may_not_come_in_or_was_in_a_team_that_is_gone() -> None:
    given = _given().happened(BOB, UserDeactivated()).happened(TEAM, TeamDeleted())
    given.happened(TASK, TaskBlockerClosed(task_id=COMMENT, freed=True), by=ZOE)
    assert _last(given) == {ADA: Reason.UNBLOCKED}
    given.happened(TASK, TaskStatusMapped(status="later", category=Category.OPEN), by=ADA)
    assert _last(given) == {}


def test_every_history_tells_something_whatever_of_it_was_erased() -> None:
    given = _given()
    events: tuple[Event, ...] = (TaskEdited(title="x"), TaskUnassigned(), TaskDeleted())
    given.happened(TASK, *events, by=EVE)
    given.happened(COMMENT, CommentPosted(task_id=TASK, body="", mentions=(BOB,)), CommentEdited(body=""), by=EVE)
    for gone in given.log:
        if name_of(gone.event) == "user.joined":  # nobody erases that: it says a role
            continue
        erased = [
            Recorded(e.position, e.stream_id, e.version, Erased(name=name_of(e.event)), e.meta, e.recorded_at)
            if e is gone
            else e
            for e in given.log
        ]
        assert len(_all(erased)) == len(given.log)
