"""Which appends may share a batch."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.appending import Append, Fact
from commands.lanes import Waiting, compatible
from domain.task import TaskEdited
from tests.commands.desk import Team, wish

TEAM = Team("w", "a", "b", "c", "d", "e")
LOOP = asyncio.new_event_loop()
STREAMS = st.sets(st.sampled_from("12345"))


@pytest.fixture(scope="module", autouse=True)
def _closed_loop() -> Iterator[None]:
    yield
    LOOP.close()


def waiting(reads: set[str], writes: set[str], key: str, by: str) -> Waiting:
    facts = [Fact(stream_id, TaskEdited(title="t" * 10)) for stream_id in sorted(writes)]
    append = wish(TEAM, facts, dict.fromkeys(sorted(reads | writes), 1), by, key=key, stream_id="1")
    return Waiting(append, asyncio.Future(loop=LOOP), 0.0)


QUEUES = st.lists(
    st.builds(waiting, STREAMS, STREAMS, st.sampled_from("klmnop") | st.uuids().map(str), st.sampled_from("ab")),
    min_size=1,
    max_size=12,
)


def meet(one: Append, other: Append) -> bool:
    """Whether they may not share a batch."""
    return bool(
        one.writes & other.reads.keys()
        or other.writes & one.reads.keys()
        or (one.principal, one.key) == (other.principal, other.key)
    )


@given(QUEUES)
def test_no_two_of_a_batch_write_what_the_other_reads_or_share_a_key(queue: list[Waiting]) -> None:
    batch = [waiting.append for waiting in compatible(queue, 100, 10**9)]
    assert not [1 for n, one in enumerate(batch) for other in batch[:n] if meet(one, other)]


@given(QUEUES)
def test_whoever_is_left_out_meets_somebody_of_the_batch(queue: list[Waiting]) -> None:
    batch = compatible(queue, 100, 10**9)
    for left in queue:
        assert (left in batch) is not any(meet(left.append, taken.append) for taken in batch if taken is not left)


@given(QUEUES, st.integers(1, 4), st.integers(1, 3_000))
def test_the_oldest_goes_first_and_the_batch_is_bounded(queue: list[Waiting], most: int, bytes_most: int) -> None:
    batch = compatible(queue, most, bytes_most)
    assert batch[0] is queue[0]
    assert len(batch) <= most
    assert sum(taken.append.size for taken in batch[:-1]) < bytes_most
    assert [queue.index(taken) for taken in batch] == sorted(queue.index(taken) for taken in batch)


@given(QUEUES, st.integers(1, 4))
def test_nobody_starves(queue: list[Waiting], most: int) -> None:
    """Whoever is first in the queue is taken next, so each batch brings everybody nearer."""
    for _ in range(len(queue)):
        batch = compatible(queue, most, 10**9) if queue else []
        queue = [left for left in queue if left not in batch]
    assert not queue


def test_two_that_only_read_the_same_share_a_batch() -> None:
    queue = [waiting({"1"}, {str(n)}, str(n), "a") for n in range(2, 5)]
    assert compatible(queue, 100, 10**9) == queue


def test_two_that_read_what_the_other_writes_do_not() -> None:
    one, other = waiting({"1", "2"}, {"1"}, "k", "a"), waiting({"1", "2"}, {"2"}, "l", "a")
    assert compatible([one, other], 100, 10**9) == [one]
    assert compatible([other, one], 100, 10**9) == [other]


def test_the_same_key_of_two_users_is_two_keys() -> None:
    queue = [waiting(set(), {"1"}, "k", "a"), waiting(set(), {"2"}, "k", "b"), waiting(set(), {"3"}, "k", "a")]
    assert compatible(queue, 100, 10**9) == queue[:2]
