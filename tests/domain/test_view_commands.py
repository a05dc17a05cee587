"""Saved views: what their commands yield, and what is refused."""

import pytest

from commands.view import CreateView, DeleteView, EditView
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Erased, Meta, Recorded
from domain.shelf import VIEWS_MAX, ShelfViewAdded, ShelfViewRemoved, shelf_of
from domain.team import TeamRole
from domain.user import Role
from domain.view import ERASED_NAME, Sharing, View, ViewCreated, ViewDeleted, ViewEdited, ViewShared, evolve
from tests.domain.given import ADA, BOB, CREW, EVE, MAX, NOBODY, TEAM, ZOE, Given, rejected

VIEW, OTHER = (f"00000000-0000-7000-8000-00000000050{n}" for n in range(1, 3))
MINE = ViewCreated(name="Mine", query="assignee:me sort:due")
PRIVATE, OF_TEAM, OF_ALL = Sharing
ADDED, REMOVED = ShelfViewAdded(view_id=VIEW), ShelfViewRemoved(view_id=VIEW)


@pytest.fixture
def given() -> Given:
    """Ada is the admin, Max a manager; Bob leads a team in which Eve is; Zoe is in no team."""
    given = Given().member(ADA, Role.ADMIN).member(MAX, Role.MANAGER).member(BOB).member(EVE).member(ZOE)
    return given.team(TEAM, {BOB: TeamRole.LEAD, EVE: TeamRole.MEMBER})


def shared(given: Given, sharing: Sharing, by: str = EVE) -> Given:
    team_id = TEAM if sharing is OF_TEAM else None
    given.happened(VIEW, ViewCreated(name="x", query="", sharing=sharing, team_id=team_id), by=by)
    return given.happened(shelf_of(by), ADDED, by=by)


def test_a_view_is_a_query_under_a_name(given: Given) -> None:
    made = CreateView(VIEW, "Mine", "assignee:me sort:due")
    assert given.when(made, by=EVE) == [MINE, ADDED]
    view = given.happened(VIEW, MINE, by=EVE).state(VIEW)
    assert isinstance(view, View)
    assert (view.name, view.query, view.sharing, view.created_by) == ("Mine", "assignee:me sort:due", PRIVATE, EVE)


def test_a_query_is_checked_when_it_is_saved(given: Given) -> None:
    for make in (lambda: CreateView(VIEW, "x", "statsu:open"), lambda: EditView(OTHER, query="statsu:open")):
        with rejected("query.invalid", Invalid) as refused:
            given.when(make(), by=EVE)
        assert (refused.value.extra["column"], refused.value.extra["errors"][0]["pointer"]) == (1, "/query")
    with rejected("value.blank", Invalid):
        given.when(CreateView(VIEW, " ", ""), by=EVE)
    with rejected("value.length", Invalid):
        given.when(CreateView(VIEW, "x", "a" * 501), by=EVE)


def test_a_view_is_shared_with_a_team_that_one_is_in_or_with_all(given: Given) -> None:
    assert given.when(CreateView(VIEW, "x", "", OF_TEAM, TEAM), by=EVE) == [
        ViewCreated(name="x", query="", sharing=OF_TEAM, team_id=TEAM),
        ADDED,
    ]
    given.happened(VIEW, ViewCreated(name="x", query="", sharing=OF_TEAM, team_id=TEAM), by=EVE)
    with rejected("auth.forbidden", Forbidden):
        given.when(CreateView(OTHER, "x", "", OF_TEAM, TEAM), by=ZOE)
    with rejected("team.not_found", NotFound):
        given.when(CreateView(OTHER, "x", "", OF_TEAM, CREW), by=EVE)
    for sharing, team_id in ((OF_TEAM, None), (OF_ALL, TEAM), (PRIVATE, TEAM)):
        with rejected("view.team", Invalid):
            given.when(CreateView(OTHER, "x", "", sharing, team_id), by=EVE)
    assert given.when(EditView(VIEW, sharing=OF_ALL), by=EVE) == [ViewShared(sharing=OF_ALL)]
    given.happened(VIEW, ViewShared(sharing=OF_ALL), by=EVE)
    assert given.when(EditView(VIEW, sharing=OF_TEAM, team_id=TEAM), by=EVE) == [
        ViewShared(sharing=OF_TEAM, team_id=TEAM)
    ]


def test_an_edit_is_of_what_differs(given: Given) -> None:
    given.happened(VIEW, MINE, by=EVE).happened(shelf_of(EVE), ADDED, by=EVE)
    assert given.when(EditView(VIEW, name="Mine", query=MINE.query, sharing=PRIVATE), by=EVE) == []
    assert given.when(EditView(VIEW, name="Ours", sharing=OF_ALL), by=EVE) == [
        ViewEdited(name="Ours"),
        ViewShared(sharing=OF_ALL),
    ]
    assert given.when(DeleteView(VIEW), by=EVE) == [ViewDeleted(), REMOVED]
    given.happened(VIEW, ViewDeleted(), by=EVE)
    with rejected("view.not_found", NotFound):
        given.when(DeleteView(VIEW), by=EVE)


def test_nobody_has_more_views_than_the_limit(given: Given) -> None:
    for _ in range(VIEWS_MAX):
        given.happened(shelf_of(EVE), ADDED, by=EVE)
    for _ in range(2):
        with rejected("view.too_many", Conflict) as refused:
            given.when(CreateView(VIEW, "x", ""), by=EVE)
        assert refused.value.extra["most"] == VIEWS_MAX
    assert len(given.when(CreateView(VIEW, "x", ""), by=BOB)) == 2, "the views of others do not count"
    given.happened(shelf_of(EVE), REMOVED, by=ADA)
    assert given.when(CreateView(VIEW, "Mine", MINE.query), by=EVE) == [MINE, ADDED]


def test_a_view_that_somebody_else_deletes_is_its_owners_no_longer(given: Given) -> None:
    shared(given, OF_ALL)
    assert [fact.stream_id for fact in given.facts(DeleteView(VIEW), ADA)] == [VIEW, shelf_of(EVE)]


# Who may change Eve's view, by how it is shared; who may not even see it is told that there is none.
@pytest.mark.parametrize(
    ("sharing", "by", "verdict"),
    [
        (PRIVATE, EVE, None),
        *[(PRIVATE, by, "view.not_found") for by in (ADA, MAX, BOB, ZOE)],
        *[(OF_TEAM, by, None) for by in (ADA, MAX, BOB, EVE)],
        (OF_TEAM, ZOE, "view.not_found"),
        *[(OF_ALL, by, None) for by in (ADA, MAX, EVE)],
        *[(OF_ALL, by, "auth.forbidden") for by in (BOB, ZOE)],
    ],
)
def test_a_view_is_changed_by_its_owner_and_by_those_who_answer_for_it(
    given: Given, sharing: Sharing, by: str, verdict: str | None
) -> None:
    shared(given, sharing)
    for command, facts in ((EditView(VIEW, name="new"), 1), (DeleteView(VIEW), 2)):
        if verdict is None:
            assert len(given.when(command, by=by)) == facts
        else:
            with rejected(verdict):
                given.when(command, by=by)


def test_what_is_not_visible_answers_exactly_as_what_is_not_there(given: Given) -> None:
    shared(given, PRIVATE)
    refusals = []
    for view_id in (VIEW, NOBODY):
        with rejected("view.not_found") as refused:
            given.when(DeleteView(view_id), by=ZOE)
        refusals.append((refused.value.detail, refused.value.extra))
    assert refusals[0] == refusals[1]


def test_an_erased_creation_leaves_a_view_that_is_its_owners_alone(given: Given) -> None:
    meta = Meta(actor=EVE, correlation_id="c", causation_id="c")
    view = evolve(None, Recorded(1, VIEW, 1, Erased(name="view.created"), meta, "2026-01-01T00:00:00.000000Z"))
    assert (view.name, view.query, view.sharing) == (ERASED_NAME, "", PRIVATE)
