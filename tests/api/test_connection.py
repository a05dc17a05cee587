"""What one socket is told and when it is given up, tick by tick."""

from collections.abc import Callable
from time import monotonic, time

import orjson
import pytest

from api.sockets.connection import STALL_SECONDS, Connection, Limits
from api.sockets.counting import Pushes
from api.sockets.feed import Feed
from api.tokens import Identity
from domain.instant import Instant
from domain.messages import AccessChange
from domain.user import Role, User

SEND, PING = 10.0, 20.0
NOW = Instant("2026-01-01T00:00:00.000000Z")


class Line:
    """A wire whose client takes as much as the test says."""

    def __init__(self) -> None:
        self.paused = False
        self.left = 0
        self.drained: Callable[[], None] | None = None
        self.said: list[str] = []
        self.code = 0

    def write(self, frame: bytes) -> None:
        self.said.append(orjson.loads(frame[frame.index(b"{") :])["type"])

    def backlog(self) -> int:
        return self.left

    def close(self, code: int, reason: str) -> None:
        self.code = code

    def resume(self) -> None:
        self.paused = False
        assert self.drained is not None
        self.drained()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def connection(line: Line) -> Connection:
    """An admin's, that is past its catch-up."""
    identity = Identity("u", "w", "s", time() + 3_600)
    user = User(
        id="u",
        version=1,
        position=1,
        role=Role.ADMIN,
        active=True,
        teams={},
        projects={},
        joined_at=NOW,
        updated_at=NOW,
    )
    feed = Feed("w", 0, Pushes())
    limits = Limits(5, SEND, PING)
    made = Connection(line, None, identity, user, feed, limits=limits)  # type: ignore[arg-type]
    made._outbox.release()
    feed.add(made)
    return made


def tick(connection: Connection, after: float) -> None:
    """So many seconds from now."""
    connection.tick(monotonic() + after, time())


def change(connection: Connection, position: int, after: float = 0) -> None:
    connection.offer("t", position, b'..{"type":"change"}')
    connection.feed.position = position
    connection.feed.moved_at = monotonic() + after


def test_who_takes_nothing_for_too_long_is_given_up(connection: Connection, line: Line) -> None:
    line.paused, line.left = True, 100
    tick(connection, 0)
    tick(connection, SEND - 1)
    assert line.code == 0
    tick(connection, SEND + 1)
    assert (line.code, connection.ended) == (4413, 4413)


def test_who_takes_little_but_always_some_is_not_given_up(connection: Connection, line: Line) -> None:
    line.paused, line.left = True, 1_000
    for second in range(0, 300, 5):
        line.left -= 1
        tick(connection, second)
    assert line.code == 0
    tick(connection, 301)
    tick(connection, 302 + SEND)
    assert line.code == 4413


def test_a_pause_that_ends_begins_anew(connection: Connection, line: Line) -> None:
    for begin in (0.0, SEND + 1):
        line.paused, line.left = True, 100
        tick(connection, begin)
        tick(connection, begin + SEND - 1)
        line.resume()
    assert line.code == 0


def test_a_hole_waits_for_who_reads_and_not_for_who_does_not(connection: Connection, line: Line) -> None:
    behind = [connection.is_behind]
    line.paused = True
    change(connection, 1)
    behind.append(connection.is_behind)
    tick(connection, -STALL_SECONDS - 1)  # it has been like that since then
    behind.append(connection.is_behind)
    line.resume()
    behind.append(connection.is_behind)
    assert behind == [False, True, False, False]
    assert line.said == ["change"]


def test_no_watermark_and_no_ping_overtakes_what_waits(connection: Connection, line: Line) -> None:
    line.paused = True
    change(connection, 1)
    change(connection, 2)
    tick(connection, PING + 1)
    assert line.said == []
    line.resume()
    tick(connection, PING + 2)
    assert line.said == ["change", "through", "ping"]


def test_watermarks_are_rare_where_each_change_finishes_the_one_before(connection: Connection, line: Line) -> None:
    for quarter in range(1, 4 * 20):
        change(connection, quarter, quarter / 4)
        tick(connection, quarter / 4)
    assert line.said.count("through") == 3
    for quarter in range(4 * 20, 4 * 25):  # nothing more comes: the last one is finished soon
        tick(connection, quarter / 4)
    assert line.said.count("through") == 4


def test_who_lets_too_much_wait_is_sent_nothing_after_the_end(connection: Connection, line: Line) -> None:
    line.paused = True
    for n in range(7):
        connection.offer(str(n), n + 1, b'..{"type":"change"}')
    assert line.code == 4413
    line.resume()
    assert line.said == []
    assert connection.feed.counts.closed == {4413: 1}


def test_another_role_voids_what_waits_for_the_eyes_of_the_old_one(connection: Connection, line: Line) -> None:
    line.paused = True
    change(connection, 1)
    connection.change_access(AccessChange(2, "u", role=Role.MEMBER), None)
    line.resume()
    assert line.said == ["resync"]
