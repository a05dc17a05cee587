"""Which workflows are good ones: exactly those in which no task gets lost."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.errors import Conflict, Invalid
from domain.workflow import STANDARD, Category, Move, Status, Workflow
from domain.workflow_check import LIMIT_MAX, MOVES_MAX, STATUSES_MAX, check, remapping
from tests.domain.given import rejected

OPEN, ACTIVE, DONE, CANCELLED = Category
NAMES = [f"s{n}" for n in range(6)]


@st.composite
def tables(draw: st.DrawFn) -> Workflow:
    """Any table over a few statuses, good or not; its moves are between statuses that it has."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    statuses = [Status(name, draw(st.sampled_from(Category))) for name in names]
    initial = draw(st.sampled_from(names))
    ends = st.tuples(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True), st.sampled_from(names))
    moves = draw(st.lists(ends, max_size=8))
    return Workflow(
        statuses=tuple(Status(initial, OPEN) if status.name == initial else status for status in statuses),
        initial=initial,
        moves=tuple(Move(f"m{n}", tuple(from_), to) for n, (from_, to) in enumerate(moves)),
    )


def _mended(workflow: Workflow) -> Workflow:
    """The same with a way through all of its statuses, in their order, to one that is done."""
    statuses = (Status(workflow.initial, OPEN), *(s for s in workflow.statuses if s.name != workflow.initial))
    statuses = (*statuses, Status("end", DONE))
    ways = [Move(f"w{n}", (one.name,), other.name) for n, (one, other) in enumerate(pairwise(statuses))]
    return replace(workflow, statuses=statuses, moves=(*workflow.moves, *ways))


good_tables = tables().map(_mended)


def walks_from(workflow: Workflow, status: str) -> set[str]:
    """Every status that some sequence of moves leads to, by trying all sequences that visit none twice."""
    found: set[str] = set()

    def walk(path: tuple[str, ...]) -> None:
        found.add(path[-1])
        for move in workflow.moves:
            if path[-1] in move.from_ and move.to not in path:
                walk((*path, move.to))

    walk((status,))
    return found


def loses_nothing(workflow: Workflow) -> bool:
    """What a good workflow promises, from the words alone."""
    everywhere = walks_from(workflow, workflow.initial) == workflow.categories.keys()
    return everywhere and all(
        any(workflow.categories[to] in (DONE, CANCELLED) for to in walks_from(workflow, status.name))
        for status in workflow.statuses
    )


@given(tables() | good_tables)
@example(Workflow(statuses=(Status("s0", OPEN),), initial="s0", moves=()))
@example(STANDARD)
def test_exactly_those_are_refused_in_which_a_task_gets_lost(workflow: Workflow) -> None:
    if loses_nothing(workflow):
        assert check(workflow) is workflow
    else:
        with rejected("workflow.invalid", Invalid) as refused:
            check(workflow)
        assert refused.value.extra["errors"][0]["pointer"].startswith("/statuses/")


@given(good_tables, st.lists(st.integers(0, 15), max_size=20))
def test_no_moves_of_a_good_workflow_lead_to_a_status_that_it_lacks(workflow: Workflow, choices: list[int]) -> None:
    status = check(workflow).initial
    for choice in choices:
        name = f"{'mw'[choice % 2]}{choice // 2}"
        if name in workflow.allowed(status):
            status = workflow.next(status, name)
        else:
            with pytest.raises(Conflict, match="allowed"):
                workflow.next(status, name)
        assert status in workflow.categories
        assert workflow.keeps(status, workflow.categories[status])


@given(good_tables, good_tables, st.dictionaries(*[st.sampled_from(NAMES)] * 2))
def test_a_task_of_another_workflow_always_has_a_status_here_as_open_or_closed(
    old: Workflow, new: Workflow, mapped: dict[str, str]
) -> None:
    for status, category in old.categories.items():
        home = new.home(status, category, mapped)
        assert new.categories[home].closed is category.closed
        assert home == status or not new.keeps(status, category)


def with_status(**fields: Any) -> Workflow:
    """The standard workflow, with another status `in_progress`."""
    todo, doing, *rest = STANDARD.statuses
    return replace(STANDARD, statuses=(todo, replace(doing, **fields), *rest))


def with_move(**fields: Any) -> Workflow:
    """The standard workflow, with another move `start`."""
    start, *rest = STANDARD.moves
    return replace(STANDARD, moves=(replace(start, **fields), *rest))


WRONG: dict[str, tuple[Workflow, str]] = {
    "a status twice": (with_status(name="todo"), "/statuses/1/name"),
    "a status without a name": (with_status(name=" "), "/statuses/1/name"),
    "a long name": (with_status(name="x" * 51), "/statuses/1/name"),
    "a name of two lines": (with_status(name="in\nprogress"), "/statuses/1/name"),
    "no room": (with_status(limit=0), "/statuses/1/limit"),
    "too much room": (with_status(limit=LIMIT_MAX + 1), "/statuses/1/limit"),
    "no statuses": (Workflow(statuses=(), initial="todo", moves=()), "/statuses"),
    "too many statuses": (
        replace(STANDARD, statuses=tuple(Status(f"s{n}", OPEN) for n in range(STATUSES_MAX + 1))),
        "/statuses",
    ),
    "an unknown initial status": (replace(STANDARD, initial="new"), "/initial"),
    "an initial status that is not open": (replace(STANDARD, initial="in_progress"), "/initial"),
    "a move twice": (with_move(name="reopen"), "/moves/4/name"),
    "a move without a name": (with_move(name=""), "/moves/0/name"),
    "a move from nowhere": (with_move(from_=()), "/moves/0/from"),
    "a move from an unknown status": (with_move(from_=("todo", "new")), "/moves/0/from/1"),
    "a move to an unknown status": (with_move(to="new"), "/moves/0/to"),
    "too many moves": (
        replace(STANDARD, moves=tuple(Move(f"m{n}", ("todo",), "done") for n in range(MOVES_MAX + 1))),
        "/moves",
    ),
    "a start that closes": (with_move(to="done"), "/moves/0/to"),
    "a completion that cancels": (
        replace(STANDARD, moves=(*STANDARD.moves[:2], Move("complete", ("todo",), "cancelled"), *STANDARD.moves[3:])),
        "/moves/2/to",
    ),
}


@pytest.mark.parametrize(("workflow", "pointer"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_pointed_at(workflow: Workflow, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(workflow)
    assert refused.value.extra["errors"][0]["pointer"] == pointer


NEW = Workflow(
    statuses=(Status("todo", OPEN), Status("doing", ACTIVE), Status("done", DONE), Status("in_progress", CANCELLED)),
    initial="todo",
    moves=(Move("go", ("todo",), "doing"), Move("end", ("doing",), "done"), Move("stop", ("doing",), "in_progress")),
)


def test_tasks_keep_their_status_where_there_is_one_of_its_name_as_open_or_closed() -> None:
    assert remapping(STANDARD, NEW, {}) == {"in_progress": None, "cancelled": None}
    assert remapping(STANDARD, NEW, {"in_progress": "doing", "cancelled": "done"}) == {
        "in_progress": "doing",
        "cancelled": "done",
    }
    assert remapping(STANDARD, STANDARD, {}) == {}
    assert remapping(STANDARD, with_status(category=OPEN), {}) == {"in_progress": "in_progress"}


@pytest.mark.parametrize(
    ("mapping", "pointer"),
    [
        ({"todo": "doing"}, "/mapping/todo"),
        ({"review": "doing"}, "/mapping/review"),
        ({"in_progress": "done"}, "/mapping/in_progress"),
        ({"cancelled": "todo"}, "/mapping/cancelled"),
        ({"in_progress": "nowhere"}, "/mapping/in_progress"),
        ({"a/b~c": "todo"}, "/mapping/a~1b~0c"),
    ],
)
def test_a_mapping_names_what_is_lost_and_closes_nothing(mapping: dict[str, str], pointer: str) -> None:
    with rejected("workflow.mapping", Invalid) as refused:
        remapping(STANDARD, NEW, mapping)
    assert refused.value.extra["errors"][0]["pointer"] == pointer
