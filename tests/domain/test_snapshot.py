"""States that are kept folded: many events at once are as one after the other, and what is kept is what was folded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.board import BoardTaskArrived, BoardTaskLeft
from domain.events import Erased, Event, Meta, Recorded
from domain.inbox import InboxRead, InboxReadThrough, InboxUnread
from domain.numbering import NumberGiven
from domain.snapshot import FOLDS, FORMS, Kept, decode, encode
from domain.streams import evolve, evolve_all
from tests.domain.given import STREAM, at

META = Meta(actor="x", correlation_id="x", causation_id="x")
TASKS = [f"00000000-0000-7000-8000-{n:012}" for n in range(8)]  # few, so that they come back, into few buckets

tasks = st.sampled_from(TASKS)
marks = st.tuples(st.integers(1, 20), st.integers(1, 20))
BOARD = st.one_of(
    st.builds(BoardTaskArrived, task_id=tasks),
    st.builds(BoardTaskLeft, task_id=tasks),
    st.sampled_from([Erased(name="board.task_arrived"), Erased(name="board.task_left")]),
)
NUMBERING = st.one_of(st.builds(NumberGiven, task_id=tasks), st.just(Erased(name="numbering.given")))
INBOX = st.one_of(
    st.builds(InboxRead, positions=marks),
    st.builds(InboxUnread, positions=marks),
    st.builds(InboxReadThrough, position=st.integers(1, 20)),
    st.just(Erased(name="inbox.read")),
)


def logged(events: list[Event]) -> list[Recorded]:
    """A stream of these."""
    return [Recorded(3 * n, STREAM, n, event, META, at(1)) for n, event in enumerate(events, 1)]


@given(
    st.one_of(*(st.lists(events, min_size=1, max_size=40) for events in (BOARD, NUMBERING, INBOX))),
    st.sets(st.integers(1, 39)),
)
def test_many_at_once_kept_in_between_give_what_one_after_the_other_gives(events: list[Event], cuts: set[int]) -> None:
    stream = logged(events)
    expected = pieces = None
    for event in stream:
        expected = evolve(expected, event)
    ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for begin, end in pairwise(ends):
        pieces = evolve_all(pieces, stream[begin:end])
        assert isinstance(pieces, Kept)
        pieces = decode(FORMS[type(pieces)].fold, encode(pieces))
    assert pieces == expected


def test_no_events_change_nothing() -> None:
    assert evolve_all(None, []) is None


GOLDEN: list[tuple[str, list[Event], str]] = [
    (
        "board/1",
        [
            BoardTaskArrived(task_id=TASKS[0]),
            BoardTaskArrived(task_id=TASKS[1]),
            BoardTaskLeft(task_id=TASKS[0]),
            Erased(name="board.task_arrived"),
        ],
        f'{{"id":"{STREAM}","version":4,"position":12,"count":2,"buckets":[[],["{TASKS[1]}"]{",[]" * 62}]}}',
    ),
    (
        "numbering/1",
        [NumberGiven(task_id=TASKS[0])],
        f'{{"id":"{STREAM}","version":1,"position":3}}',
    ),
    (
        "inbox/1",
        [InboxReadThrough(position=5), InboxUnread(positions=(4, 2)), InboxRead(positions=(9, 7))],
        f'{{"id":"{STREAM}","version":3,"position":9,"through":5,"read":[7,9],"unread":[2,4]}}',
    ),
]


@pytest.mark.parametrize(("fold", "events", "text"), GOLDEN)
def test_what_a_fold_keeps_never_changes_under_its_name(fold: str, events: list[Event], text: str) -> None:
    """Does this fail, then there are snapshots that this program would not fold: give the fold another name."""
    state = evolve_all(None, logged(events))
    assert isinstance(state, Kept)
    assert (FORMS[type(state)].fold, encode(state)) == (fold, text)
    assert decode(fold, text) == state


def test_each_fold_has_its_golden_state() -> None:
    assert [fold for fold, _, _ in GOLDEN] == list(FOLDS)
