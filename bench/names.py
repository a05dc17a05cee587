"""The figures by name, so that who measures, who compares and who prints speak of the same ones."""

from typing import Final

from bench.measuring import OURS, Figure

LIBRARY: Final = "eventsourcing, as it comes"
LIBRARY_FUNCTIONS: Final = "eventsourcing, database functions on"
MESSAGE_DB: Final = "message-db, write_message"
EMMETT: Final = "emmett, emt_append_to_stream"
LIBRARIES: Final = (LIBRARY, LIBRARY_FUNCTIONS, MESSAGE_DB, EMMETT)
BEST_LIBRARY: Final = "the best of these libraries"
INSERT: Final = "one autocommit INSERT each"
COALESCED: Final = "a coalesced INSERT, no guarantees"
KEYED: Final = f"{OURS}, each with a client's key"
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


ATOMIC: Final = f"{OURS}, all or nothing"
KEYED_BATCHES: Final = f"{OURS}, each batch with a client's key"
ONE_BY_ONE: Final = "the same commands, one a request"


def batch(contender: str) -> Figure:
    """Commands a second in batches of 500."""
    return Figure("batch", contender, "batches of 500", "commands/s")


GUARDED_EACH: Final = "the same, verifying each token anew"
NO_AUTHENTICATION: Final = "the same without authentication"
NO_AUTHORISATION: Final = "the same without authorisation"
NEITHER: Final = "the same without either"
NO_LIMITS: Final = "the same without either and without rate limits"
COMMANDS: Final = "commands"
READS: Final = "reads of a task"


def guards(contender: str, load: str) -> Figure:
    """Requests for a second of the API's processor."""
    return Figure("guards", contender, load, "requests/CPU s")


def guards_cost(load: str) -> Figure:
    """What a request costs more because somebody asks who wants it, and whether they may."""
    return Figure("guards", f"{OURS}, cost of who asks and may they", load, "µs of CPU")


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


LOOP: Final = "Starlette, a send loop over all"
FRAME: Final = "an encoded frame to each transport"
WRITE: Final = "bare socket writes, the limit"
TO_ALL_P50: Final = f"{OURS}, command to each socket, p50"
TO_ALL_P99: Final = f"{OURS}, command to each socket, p99"
TO_ALL_P99_STALLED: Final = f"{OURS}, the same beside readers that stall"
CONNECTED: Final = f"{OURS}, memory of a socket, connected"
USED: Final = f"{OURS}, memory of a socket, after all that"


def fanout(contender: str, sockets: int) -> Figure:
    """Changes a second that arrive at sockets, of changes that wait already."""
    return Figure("fanout", contender, f"{sockets:,} sockets", "messages/s")


def fanout_busy(sockets: int) -> Figure:
    """The part of a burst for which the client had a processor: near 100 it is the client that was measured."""
    return Figure("fanout", "the client's processor time", f"{sockets:,} sockets", "%")


def fanout_cpu(contender: str, sockets: int) -> Figure:
    """Changes that arrive for a second of the server's processor, when they come one by one."""
    return Figure("fanout", contender, f"{sockets:,} sockets, one by one", "messages/CPU s")


def fanout_latency(what: str, sockets: int) -> Figure:
    """Milliseconds from the command to the frame, over all sockets and changes."""
    return Figure("fanout", what, f"{sockets:,} sockets", "ms")


def fanout_growth(sockets: int) -> Figure:
    """How many times the p99 of the others is what it was, when some stall."""
    return Figure("fanout", f"{OURS}, p99 beside readers that stall, times", f"{sockets:,} sockets", "x")


def fanout_memory(what: str, sockets: int) -> Figure:
    """Memory that the process grew by, for each socket."""
    return Figure("fanout", what, f"{sockets:,} sockets", "KiB")


def fanout_gone(sockets: int) -> Figure:
    """What remains of a socket that has come and gone, once as many had come and gone before."""
    return Figure("fanout", f"{OURS}, left by a socket that has gone", f"the second {sockets:,}", "bytes")


BY_POSITION: Final = f"{OURS}, 500 events by position"
BY_STREAM: Final = f"{OURS}, the events of a task"


FRESH: Final = "new tasks"
MIXED: Final = "old tasks and random keys"


def scale_append(load: str, events: int) -> Figure:
    """Commands a second beside a log of so many events."""
    return Figure("scale", f"{OURS}, append, {load}", f"{events:,} events", "commands/s")


def scale_wal(load: str, events: int) -> Figure:
    """What a command adds to the write-ahead log, whole pages after a checkpoint included."""
    return Figure("scale", f"{OURS}, write-ahead log, {load}", f"{events:,} events", "bytes/command")


def scale_kept(load: str, events: int) -> Figure:
    """How much of the rate beside the shortest log is left."""
    return Figure("scale", f"{OURS}, append, {load}, of the shortest's", f"{events:,} events", "x")


def scale_read(what: str, events: int) -> Figure:
    """Milliseconds of a read from anywhere in the log."""
    return Figure("scale", what, f"{events:,} events", "ms")


def scale_bytes(relation: str, events: int) -> Figure:
    """What a table, with what lies outside of its rows, or an index takes for each event of the log."""
    return Figure("scale", f"{OURS}, room of {relation}", f"{events:,} events", "bytes/event")


COMMAND: Final = "command to answer"
COMMAND_TO_FRAME: Final = "command to frame"
LIST: Final = "a list of 50 tasks"
GET: Final = "a task"
REBUILD_USERS: Final = (COMMAND, COMMAND_TO_FRAME, LIST, GET)
ALONE: Final = "no rebuild"
BESIDE: Final = "beside a rebuild"


def rebuild(what: str, when: str, percent: int) -> Figure:
    """Milliseconds that users wait."""
    return Figure("rebuild", f"{OURS}, {what}, p{percent}", when, "ms")


def rebuild_growth(what: str) -> Figure:
    """How many times the p99 alone is the one beside a rebuild."""
    return Figure("rebuild", f"{OURS}, {what}, p99 beside a rebuild, times", BESIDE, "x")


def rebuild_rate() -> Figure:
    """Events of the log by the seconds from the start of the command to its end."""
    return Figure("rebuild", f"{OURS}, projections rebuild tasks", "200 commands/s meanwhile", "events/s")


REMEMBERED: Final = f"{OURS}, edit of a task in memory"
READ: Final = f"{OURS}, edit of a task that is read first"


def memory(what: str, events: int) -> Figure:
    """Milliseconds of a command on a task of so many events."""
    return Figure("memory", what, f"{events:,} events", "ms")


UNKNOWN: Final = f"{OURS}, first new task of a process, nothing kept folded"
KEPT: Final = f"{OURS}, first new task of a process"
KNOWN: Final = f"{OURS}, next new task"


def project(what: str, tasks: int) -> Figure:
    """Milliseconds of a command in a project of so many tasks."""
    return Figure("memory", what, f"{tasks:,} tasks in the project", "ms")


# What is compared with ours under another load: the limit has no callers.
OURS_LOAD: Final = {COPIED: append(OURS, 64).load}


ADMIN: Final = "an admin"
THIRD: Final = "who sees a third"
HUNDREDTH: Final = "who sees 1 %"
BOARD_READERS: Final = (ADMIN, THIRD, HUNDREDTH)
BOARD_FULL_PAGES: Final = (ADMIN, THIRD)  # also of the smallest board
BY_ANY_SORT: Final = "list, by any sort"
BY_TWO_SORTS: Final = "list, by two sorts"
FAR_DOWN: Final = "list, far down"
FAR_DOWN_BY_TWO: Final = "list by two sorts, far down"
BOARD_LISTS: Final = (BY_ANY_SORT, BY_TWO_SORTS, FAR_DOWN, FAR_DOWN_BY_TWO)
OVER_HTTP: Final = ", over HTTP"


def board(what: str, who: str, tasks: int, where: str = "") -> Figure:
    """Milliseconds of the read side, or over HTTP, p95, for somebody who looks at a board of so many tasks."""
    return Figure("board", f"{OURS}, {what}, p95{where}, {who}", f"{tasks:,} tasks", "ms")


def board_growth(what: str, who: str) -> Figure:
    """How many times the p95 at 1,000 tasks is the one at 100,000, of the read side."""
    return Figure("board", f"{OURS}, {what}, p95, times that of 1,000 tasks, {who}", "100,000 tasks", "x")
