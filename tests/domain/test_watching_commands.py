"""Watchers: who watches by themselves, by a wish, by a mention; and who may let whom."""

import pytest

from commands.comment import EditComment, PostComment
from commands.watching import Unwatch, Watch
from domain import streams
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Event
from domain.talk import Part, stream_of
from domain.task import TaskAssigned, TaskUnassigned
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.user import Role
from domain.watching import WATCHERS_MAX, WatcherAdded, WatcherRemoved, Watching, Why, watchers
from tests.domain.given import ADA, BOB, EVE, MAX, NOBODY, TASK, TEAM, ZOE, Given, person, rejected
from tests.domain.test_erased import erase

WATCHING = stream_of(TASK, Part.WATCHING)
COMMENT = "00000000-0000-7000-8000-000000000301"


@pytest.fixture
def given() -> Given:
    """Bob's task, of a team that Zoe leads and Eve is in; Ada is a manager, Max has nothing to do with it."""
    given = Given().member(ADA, Role.MANAGER).member(BOB).member(EVE).member(ZOE).member(MAX)
    given.team(TEAM, {ZOE: TeamRole.LEAD, EVE: TeamRole.MEMBER})
    return given.task(TASK, TaskAssigned(assignee=Assignee(type="team", id=TEAM)), by=BOB)


def watching(given: Given) -> dict[str, Why]:
    state = given.state(WATCHING)
    assert state is None or isinstance(state, Watching)
    return watchers(given.the_task(), state)


def added(user_id: str, why: Why = Why.EXPLICIT) -> Event:
    return WatcherAdded(task_id=TASK, user_id=user_id, why=why)


def test_creator_and_assignee_watch_by_themselves(given: Given) -> None:
    assert watching(given) == {BOB: Why.CREATOR}
    given.happened(TASK, TaskAssigned(assignee=person(EVE)))
    assert watching(given) == {BOB: Why.CREATOR, EVE: Why.ASSIGNEE}
    given.happened(TASK, TaskAssigned(assignee=person(BOB)))
    assert watching(given) == {BOB: Why.CREATOR}


def test_who_wishes_watches_whatever_becomes_of_them_and_the_task(given: Given) -> None:
    given.happened(TASK, TaskAssigned(assignee=person(EVE)))
    assert given.when(Watch(TASK, EVE), by=EVE) == [added(EVE)]
    given.does(Watch(TASK, EVE), by=EVE).happened(TASK, TaskUnassigned())
    assert watching(given) == {BOB: Why.CREATOR, EVE: Why.EXPLICIT}
    given.happened(TASK, TaskAssigned(assignee=person(EVE)))
    assert given.when(Watch(TASK, EVE), by=EVE) == []


def test_who_is_taken_out_watches_no_more_until_added_again(given: Given) -> None:
    given.does(Unwatch(TASK, BOB), by=BOB)
    assert watching(given) == {}
    given.happened(TASK, TaskAssigned(assignee=person(BOB)))
    assert watching(given) == {}
    with rejected("watcher.not_found", NotFound):
        given.when(Unwatch(TASK, BOB), by=BOB)
    given.does(Watch(TASK, BOB), by=BOB)
    assert watching(given) == {BOB: Why.EXPLICIT}


def test_leads_managers_and_admins_let_others_watch_who_see_the_task(given: Given) -> None:
    for by in (ADA, ZOE):
        assert given.when(Watch(TASK, EVE), by=by) == [added(EVE)]
        assert given.reads.keys() >= {by, EVE, TASK, WATCHING}
        assert given.when(Unwatch(TASK, BOB), by=by) == [WatcherRemoved(task_id=TASK, user_id=BOB)]
        for blind in (MAX, NOBODY):
            with rejected("watcher.not_visible", Invalid):
                given.when(Watch(TASK, blind), by=by)
    for command in (Watch(TASK, ZOE), Unwatch(TASK, BOB)):
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=EVE)
    with rejected("task.not_found", NotFound):
        given.when(Watch(TASK, MAX), by=MAX)


def test_a_mention_adds_a_watcher_in_the_same_append(given: Given) -> None:
    command = PostComment(TASK, COMMENT, f"@{{{EVE}}} @{{{BOB}}}")
    posted, watched = given.facts(command, by=BOB)
    assert (posted.stream_id, watched.stream_id) == (COMMENT, WATCHING)
    assert watched.event == added(EVE, Why.MENTION)
    given.does(command, by=BOB)
    assert given.when(Watch(TASK, EVE), by=EVE) == [added(EVE)]
    given.does(Unwatch(TASK, EVE), by=EVE)
    assert len(given.when(EditComment(TASK, COMMENT, f"@{{{EVE}}}!"), by=BOB)) == 1, "she was mentioned before"
    assert added(ZOE, Why.MENTION) in given.when(EditComment(TASK, COMMENT, f"@{{{ZOE}}}"), by=BOB)
    again = PostComment(TASK, NOBODY, f"@{{{EVE}}}")
    assert added(EVE, Why.MENTION) in given.when(again, by=BOB), "who is mentioned anew comes back"


def test_a_task_has_so_many_watchers_and_no_more(given: Given) -> None:
    given.happened(WATCHING, *[added(f"00000000-0000-7000-9000-{n:012}") for n in range(WATCHERS_MAX)])
    with rejected("watcher.too_many", Conflict):
        given.when(Watch(TASK, EVE), by=EVE)
    assert len(given.when(PostComment(TASK, COMMENT, f"@{{{EVE}}}"), by=BOB)) == 1, "it is said all the same"


def test_a_watching_folds_whatever_was_erased(given: Given) -> None:
    given.happened(WATCHING, added(EVE), WatcherRemoved(task_id=TASK, user_id=EVE), added(ZOE))
    log = [logged for logged in given.log if logged.stream_id == WATCHING]
    for versions, users in (((1,), {ZOE}), ((2,), {EVE, ZOE}), ((1, 2, 3), set())):
        state = streams.fold(erase(log, *versions))
        assert isinstance(state, Watching)
        assert (set(state.added), state.version) == (users, 3)
