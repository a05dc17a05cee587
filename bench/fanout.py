"""One change to thousands of sockets: the real program beside loops that leave nobody out and remember nothing."""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Final

from api.embedded.process import free_port
from bench import fanout_program, fanout_server, names
from bench.fanout_client import STAMP, Churning, Counted, Counting, Holding, Opening
from bench.fanout_program import HEAVY_BYTES, HEAVY_TASKS, PATH, Program, serving
from bench.fanout_sockets import Sockets, sockets
from bench.measuring import OURS, Effort, Figure, Measure, Values, interleaved
from bench.processes import allow_files, processor_seconds, resident_kib, stopped
from bench.servers import Servers

OUR_GROUP: Final = "ours"
LOOPS_GROUP: Final = "loops"
STALLED_GROUP: Final = "stalled"
FILES: Final = 16_000
QUOTE: Final = '"'
WAYS: Final = {names.LOOP: fanout_server.LOOP, names.FRAME: fanout_server.FRAME, names.WRITE: fanout_server.WRITE}


@dataclass(frozen=True, slots=True)
class Size:
    """So many sockets; a burst is `burst` changes that wait already, a stream `stream` changes at `rate` a second."""

    sockets: int
    burst: int
    stream: int
    rate: float


FULL: Final = (Size(1_000, 200, 100, 20.0), Size(5_000, 50, 30, 4.0))
QUICK: Final = (Size(1_000, 100, 40, 20.0), Size(5_000, 20, 20, 4.0))
STALLED: Final = 100
LONGER: Final = 3  # times: the stream that is compared with itself; of few changes the slowest one alone makes the p99
COMINGS: Final = 20_000  # sockets that come and go, twice
SETTLE_SECONDS: Final = 0.1
WAKE_SECONDS: Final = 1.5


def run(servers: Servers, effort: Effort) -> Values:
    """Both sizes, one after the other, with the same processes."""
    quick = effort.name.startswith("quick")
    allow_files(FILES)
    values: Values = {}
    with fanout_program.running(servers) as program, looping(servers) as loops, sockets() as client:
        suite = Suite(program, loops, client)
        for size in QUICK if quick else FULL:
            values |= suite.open(size)
            values |= interleaved(suite.contenders(size), effort.push_rounds)
        values |= interleaved([partial(suite.stalled, replace(size, stream=size.stream * LONGER))], effort.push_rounds)
        values |= suite.memory(COMINGS // 10 if quick else COMINGS)
    return values


class Loops:
    """The server of `bench.fanout_server`, and the text that it is to send."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port
        self.text = ""

    def send(self, how: str, count: int) -> None:
        """Send it to all sockets, with the time of now in it."""
        head, mark, rest = self.text.partition(STAMP.decode())
        text = f"{head}{mark}{perf_counter():.6f}{rest[rest.index(QUOTE) :]}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", f"/burst?how={how}&count={count}", text.encode())
        if (status := connection.getresponse().status) != 200:
            raise RuntimeError(f"the loop answered {status}")
        connection.close()


@contextmanager
def looping(servers: Servers) -> Iterator[Loops]:
    """Run it."""
    port = free_port()
    with serving(servers, "fanout-loops", port, {}, ("bench.fanout_server",)) as process:
        yield Loops(process.pid, port)


class Suite:
    """The measurements. Who is not measured is stopped meanwhile."""

    def __init__(self, program: Program, loops: Loops, client: Sockets) -> None:
        self._program = program
        self._loops = loops
        self._client = client
        self._open = 0
        self._empty_kib = 0

    def open(self, size: Size) -> Values:
        """Bring both servers to this number of sockets. Gives the memory that ours took for each."""
        program, more = self._program, size.sockets - self._open
        if not self._open:
            self._learn()
        before = resident_kib(program.sockets_pid)
        self._connect(OUR_GROUP, program.audience(more))
        grown = (resident_kib(program.sockets_pid) - before) / more
        self._client.do(Opening(group=LOOPS_GROUP, port=self._loops.port, path="/ws", tokens={LOOPS_GROUP: more}))
        self._open = size.sockets
        return {names.fanout_memory(names.CONNECTED, size.sockets): [grown]}

    def contenders(self, size: Size) -> list[Measure]:
        """All that take turns at one size."""
        return [
            partial(self._our_burst, size),
            *(partial(self._loops_burst, contender, size) for contender in WAYS),
            partial(self._our_stream, size),
            partial(self._loops_stream, size),
        ]

    def stalled(self, size: Size) -> Mapping[Figure, float]:
        """The stream to all once more, while some among them do not read and hold up all they can."""
        with stopped(self._loops.pid):
            self._wake()
            free = self._stream(size)
            self._hold_up()
            held_up = self._stream(size)
        self._client.close(STALLED_GROUP)
        return {
            names.fanout_latency(names.TO_ALL_P99, size.sockets): free.p99_ms,
            names.fanout_latency(names.TO_ALL_P99_STALLED, size.sockets): held_up.p99_ms,
            names.fanout_growth(size.sockets): held_up.p99_ms / free.p99_ms,
        }

    def memory(self, comings: int) -> Values:
        """What is held for a socket after all that, and what remains of sockets that have gone."""
        program, client = self._program, self._client
        held = (resident_kib(program.sockets_pid) - self._empty_kib) / self._open
        path, token = PATH, program.overseers[0].token
        come_and_go = Churning(port=program.sockets_port, path=path, token=token, times=comings)
        with stopped(self._loops.pid):
            client.do(come_and_go)
            before = resident_kib(program.sockets_pid)
            client.do(come_and_go)
        grown = resident_kib(program.sockets_pid) - before
        return {
            names.fanout_memory(names.USED, self._open): [held],
            names.fanout_gone(comings): [grown * 1024 / comings],
        }

    def _learn(self) -> None:
        """Take a real frame, of which the loops send copies; and the memory of a process that has served a socket."""
        program = self._program
        self._connect(OUR_GROUP, {program.overseers[0].token: 1})
        changes = len(program.members)
        with self._client.counting(Counting(group=OUR_GROUP, changes=program.expected(changes), timed=True)) as result:
            for _ in range(changes):
                program.change(program.light)
        self._client.close(OUR_GROUP)
        self._loops.text = result.counted.sample
        self._empty_kib = resident_kib(program.sockets_pid)

    def _hold_up(self) -> None:
        """Open sockets that do not read, and fill what there is between them and the API."""
        self._connect(STALLED_GROUP, {self._program.overseers[0].token: STALLED}, stalled=True)
        self._burst(self._program.heavy, HEAVY_TASKS)
        self._client.do(Holding(group=STALLED_GROUP, bytes=HEAVY_TASKS * HEAVY_BYTES // 2))

    def _connect(self, group: str, tokens: dict[str, int], stalled: bool = False) -> None:
        port = self._program.sockets_port
        self._client.do(Opening(group=group, port=port, path=PATH, tokens=tokens, stalled=stalled))

    def _our_burst(self, size: Size) -> Mapping[Figure, float]:
        with stopped(self._loops.pid):
            return _rates(OURS, size, *self._burst(self._program.light, size.burst))

    def _burst(self, tasks: Iterator[str], changes: int) -> tuple[Counted, float]:
        """All changes are published before the API gets to read the first. What arrived, and in how many seconds."""
        counting = Counting(group=OUR_GROUP, changes=self._program.expected(changes))
        with self._client.counting(counting) as result:
            with stopped(self._program.sockets_pid):
                for _ in range(changes):
                    self._program.change(tasks)
                time.sleep(SETTLE_SECONDS)  # the last publication is on its way
            started = perf_counter()
        return result.counted, result.counted.last_at - started

    def _loops_burst(self, contender: str, size: Size) -> Mapping[Figure, float]:
        counting = Counting(group=LOOPS_GROUP, changes={LOOPS_GROUP: size.burst})
        with stopped(*self._program.pids), self._client.counting(counting) as result:
            started = perf_counter()
            self._loops.send(WAYS[contender], size.burst)
        return _rates(contender, size, result.counted, result.counted.last_at - started)

    def _our_stream(self, size: Size) -> Mapping[Figure, float]:
        with stopped(self._loops.pid):
            self._wake()
            before = processor_seconds(self._program.sockets_pid)
            counted = self._stream(size)
            used = processor_seconds(self._program.sockets_pid) - before
        return {
            names.fanout_cpu(OURS, size.sockets): counted.changes / used,
            names.fanout_latency(names.TO_ALL_P50, size.sockets): counted.p50_ms,
        }

    def _wake(self) -> None:
        """A process that was stopped has clocks to catch up with; that is not what is measured."""
        few = len(self._program.members)
        with self._client.counting(Counting(group=OUR_GROUP, changes=self._program.expected(few))):
            for _ in range(few):
                time.sleep(WAKE_SECONDS / few)
                self._program.change(self._program.light)

    def _stream(self, size: Size) -> Counted:
        counting = Counting(group=OUR_GROUP, changes=self._program.expected(size.stream), timed=True)
        with self._client.counting(counting) as result:
            paced(size, partial(self._program.change, self._program.light))
        return result.counted

    def _loops_stream(self, size: Size) -> Mapping[Figure, float]:
        counting = Counting(group=LOOPS_GROUP, changes={LOOPS_GROUP: size.stream}, timed=True)
        with stopped(*self._program.pids), self._client.counting(counting) as result:
            before = processor_seconds(self._loops.pid)
            paced(size, partial(self._loops.send, fanout_server.LOOP, 1))
        used = processor_seconds(self._loops.pid) - before
        return {names.fanout_cpu(names.LOOP, size.sockets): result.counted.changes / used}


def paced(size: Size, send: Callable[[], object]) -> None:
    """One change after another, at the rate of the size; the next one leaves no sooner than its moment."""
    started = perf_counter()
    for number in range(size.stream):
        time.sleep(max(0.0, started + number / size.rate - perf_counter()))
        send()


def _rates(contender: str, size: Size, counted: Counted, seconds: float) -> Mapping[Figure, float]:
    return {
        names.fanout(contender, size.sockets): counted.changes / seconds,
        names.fanout_busy(size.sockets): counted.busy * 100,
    }
