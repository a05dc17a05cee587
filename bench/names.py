"""The figures by name, so that who measures, who compares and who prints speak of the same ones."""

from typing import Final

from bench.measuring import OURS, Figure

LIBRARY: Final = "eventsourcing, as it comes"
LIBRARY_FUNCTIONS: Final = "eventsourcing, database functions on"
INSERT: Final = "one autocommit INSERT each"
COPY: Final = "COPY, the limit"
PROJECTING: Final = f"{OURS}, projecting meanwhile"
ORDINARY: Final = "FastAPI, body and response model"
ORDINARY_TOKEN: Final = "FastAPI, also verifying a token"
LIBRARY_RUNNER: Final = "eventsourcing, ProjectionRunner"


def append(contender: str, callers: int) -> Figure:
    """Commands a second at so many waiting callers."""
    return Figure("append", contender, "1 caller" if callers == 1 else f"{callers} callers", "commands/s")


COPIED: Final = Figure("append", COPY, "one stream", "rows/s")


def http(contender: str, connections: int) -> Figure:
    """Commands a second over so many connections."""
    return Figure("http", contender, f"{connections} connections", "requests/s")


FROM_ZERO: Final = "from position 0"
ALL_AT_A_TIME: Final = "the same, no two events of a task near"


def catchup(contender: str, load: str = FROM_ZERO) -> Figure:
    """Events a second from position 0 to the end of a log."""
    return Figure("catchup", contender, load, "events/s")


TO_FRAME_P50: Final = f"{OURS}, command to frame, p50"
TO_FRAME_P99: Final = f"{OURS}, command to frame, p99"
TO_ANSWER_P50: Final = f"{OURS}, command to answer, p50"
TO_ANSWER_P99: Final = f"{OURS}, command to answer, p99"
LATE_P99: Final = "the client's own timer, late by, p99"


def push(what: str, rate: int) -> Figure:
    """Milliseconds at so many commands a second."""
    return Figure("push", what, f"{rate:,} commands/s", "ms")


# What is compared with ours under another load: the limit has no callers.
OURS_LOAD: Final = {COPIED: append(OURS, 64).load}
