"""A feed hands each change to the sockets that may see it and to no others, in the order of the log."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sockets.audiences import Told
from api.sockets.counting import Pushes
from api.sockets.feed import Feed, parts
from domain.messages import AccessChange, TaskChange
from domain.policy import Eyes
from domain.user import Role
from projections.changes import seen

OWNERS = (None, frozenset[str](), frozenset({"a"}), frozenset({"a", "b"}))


@dataclass(eq=False)
class Listener:
    """A socket as its feed sees it, that keeps what it is offered."""

    user_id: str
    eyes: Eyes
    told: list[Any] = field(default_factory=list)
    is_behind = False

    def offer(self, task_id: str, position: int, frame: bytes) -> None:
        document = orjson.loads(frame[frame.index(b"{") :])
        assert (document["position"], document["task_id"]) == (position, task_id)
        self.told.append((document["op"], position))

    def change_access(self, change: AccessChange, told: Told) -> None:
        self.eyes = change.after(self.eyes)
        self.told.append(change.role)
        for task_id, frame in told or ():
            self.offer(task_id, change.position, frame)

    def restart(self, frame: bytes) -> None:
        document = orjson.loads(frame[frame.index(b"{") :])
        self.told.append((document["reason"], document["epoch"], document["position"]))


def change(position: int, before: frozenset[str] | None, after: frozenset[str] | None) -> TaskChange:
    return TaskChange(position, f"task {position}", msgspec.Raw(b"{}"), before, after)


def listeners(feed: Feed) -> list[Listener]:
    """Two of each role for each of three users."""
    made = [Listener(user_id, Eyes(role, frozenset(user_id))) for user_id, role, _ in product("abc", Role, range(2))]
    for listener in made:
        feed.add(listener)
    return made


@pytest.mark.parametrize("before", OWNERS)
@pytest.mark.parametrize("after", OWNERS)
def test_each_socket_gets_what_the_policy_says_and_no_more(
    before: frozenset[str] | None, after: frozenset[str] | None
) -> None:
    feed = Feed("w", 0, counts := Pushes())
    everybody = listeners(feed)
    one = change(1, before, after)
    feed.hand_out([one], [], 1)
    for listener in everybody:
        expected = seen(one, listener.eyes)
        assert listener.told == ([] if expected is None else [(expected, 1)])
    assert counts.frames == sum(len(listener.told) for listener in everybody)
    assert counts.open == len(everybody) == len(feed.subscribers)


def test_who_left_gets_nothing_and_leaves_nothing_behind() -> None:
    feed = Feed("w", 0, counts := Pushes())
    everybody = listeners(feed)
    for listener in everybody:
        feed.discard(listener)
    feed.hand_out([change(1, None, frozenset("abc"))], [], 1)
    assert not any(listener.told for listener in everybody)
    assert (feed.is_empty, counts.open, feed.subscribers, feed._audiences._by_id, feed.position) == (True, 0, [], {}, 1)
    assert feed._users == {}


def test_a_change_of_role_takes_effect_at_its_position() -> None:
    feed = Feed("w", 0, Pushes())
    ann, bob = Listener("a", Eyes(Role.MEMBER, frozenset("a"))), Listener("b", Eyes(Role.ADMIN, frozenset("b")))
    feed.add(ann)
    feed.add(bob)
    others = frozenset({"c"})
    feed.hand_out(
        [change(1, None, others), change(3, others, others), change(5, others, others)],
        [AccessChange(2, "a", Role.MANAGER), AccessChange(4, "a", Role.MEMBER), AccessChange(6, "b", Role.MEMBER)],
        7,
    )
    assert ann.told == [Role.MANAGER, ("upsert", 3), Role.MEMBER]
    assert bob.told == [("upsert", 1), ("upsert", 3), ("upsert", 5), Role.MEMBER]
    assert feed.position == 7


def test_what_was_handed_out_is_not_handed_out_again() -> None:
    feed = Feed("w", 4, Pushes())
    ann = Listener("a", Eyes(Role.ADMIN, frozenset("a")))
    feed.add(ann)
    both = [change(position, None, frozenset("a")) for position in (3, 4, 5)]
    feed.hand_out(both, [AccessChange(2, "a", Role.MEMBER)], 5)
    feed.hand_out(both, [], 5)
    assert ann.told == [("upsert", 5)]


def test_a_feed_of_another_log_begins_again() -> None:
    feed = Feed("w", 9, Pushes())
    ann = Listener("a", Eyes(Role.ADMIN, frozenset("a")))
    feed.add(ann)
    feed.hand_out([], [AccessChange(10, "b", Role.MEMBER)], 10)
    feed.restart(3, "epoch_changed", "new")
    feed.hand_out([change(4, None, frozenset("a"))], [], 4)
    assert ann.told == [("epoch_changed", "new", 3), ("upsert", 4)]
    assert feed.accesses_after(0, "b") == []


@given(
    st.lists(st.integers(1, 12), max_size=30), st.lists(st.integers(1, 14), max_size=5, unique=True), st.integers(1, 9)
)
def test_a_publication_in_parts_is_the_same_publication(places: list[int], changed: list[int], most: int) -> None:
    tasks = [change(position, None, frozenset("a")) for position in sorted(places)]
    roles = [AccessChange(position, "a", Role.ADMIN) for position in sorted(changed) if position not in places]
    whole, cut = Listener("a", Eyes(Role.ADMIN, frozenset("a"))), Listener("a", Eyes(Role.ADMIN, frozenset("a")))
    for listener, pieces in ((whole, [(tasks, roles, 14)]), (cut, list(parts(tasks, roles, 14, most)))):
        feed = Feed("w", 0, Pushes())
        feed.add(listener)
        for piece in pieces:
            assert {task.position for task in piece[0]} & {*range(feed.position + 1)} == set()
            feed.hand_out(*piece)
        assert feed.position == 14
    assert cut.told == whole.told
