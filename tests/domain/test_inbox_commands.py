"""What is read of an inbox."""

from collections.abc import Sequence

import pytest

from commands.inbox import MarkRead, MarkReadThrough, MarkUnread
from domain.errors import Forbidden
from domain.inbox import MARKED_MAX, Inbox, InboxRead, InboxReadThrough, InboxUnread, inbox_of
from domain.streams import fold
from tests.domain.given import ADA, BOB, Given, rejected
from tests.domain.test_erased import erase

INBOX = inbox_of(ADA)


@pytest.fixture
def given() -> Given:
    return Given().member(ADA).member(BOB)


def read(given: Given, positions: Sequence[int]) -> list[int]:
    """Those of these that are read."""
    inbox = given.state(INBOX)
    assert isinstance(inbox, Inbox)
    return [position for position in positions if inbox.has_read(position)]


def test_a_mark_that_says_nothing_new_is_none(given: Given) -> None:
    assert given.when(MarkRead(ADA, (5, 3, 5))) == [InboxRead(positions=(3, 5))]
    given.happened(INBOX, InboxReadThrough(position=10))
    assert given.when(MarkRead(ADA, (5, 12))) == [InboxRead(positions=(12,))]
    assert given.when(MarkRead(ADA, (5,))) == given.when(MarkReadThrough(ADA, 9)) == []
    assert given.when(MarkUnread(ADA, (11, 5))) == [InboxUnread(positions=(5,))]
    given.does(MarkUnread(ADA, (5,)))
    assert given.when(MarkUnread(ADA, (5,))) == []
    assert given.when(MarkReadThrough(ADA, 4)) == []
    assert given.when(MarkReadThrough(ADA, 5)) == [InboxReadThrough(position=5)]


def test_all_up_to_a_position_takes_the_place_of_single_marks(given: Given) -> None:
    given.does(MarkRead(ADA, (3, 8, 12))).does(MarkReadThrough(ADA, 10)).does(MarkUnread(ADA, (4, 12)))
    assert read(given, range(1, 14)) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    given.does(MarkReadThrough(ADA, 5))
    assert read(given, range(1, 14)) == list(range(1, 11))
    state = given.state(INBOX)
    assert isinstance(state, Inbox)
    assert (state.through, state.read, state.unread) == (10, frozenset(), frozenset())


def test_single_marks_are_bounded_until_all_is_read(given: Given) -> None:
    given.does(MarkRead(ADA, tuple(range(1, MARKED_MAX + 1))))
    with rejected("inbox.full"):
        given.when(MarkRead(ADA, (MARKED_MAX + 1,)))
    given.does(MarkReadThrough(ADA, MARKED_MAX)).does(MarkUnread(ADA, tuple(range(1, MARKED_MAX + 1))))
    with rejected("inbox.full"):
        given.when(MarkRead(ADA, (MARKED_MAX + 1,)))


def test_an_inbox_is_its_users_alone(given: Given) -> None:
    with pytest.raises(Forbidden):
        given.when(MarkRead(ADA, (1,)), by=BOB)


def test_a_mark_that_was_erased_marks_nothing(given: Given) -> None:
    given.does(MarkRead(ADA, (3,)))
    assert read(given, [3]) == [3]
    left = fold(erase([logged for logged in given.log if logged.stream_id == INBOX], 1))
    assert isinstance(left, Inbox)
    assert not left.has_read(3)
