"""Commands a second by batches over HTTP, beside single ones in the same run: one API process, its worker paused."""

from functools import partial

import msgspec

from bench import names
from bench.batch_client import Options
from bench.http import load
from bench.http_client import Done
from bench.measuring import OURS, Effort, Figure, Measure, Values, interleaved
from bench.running import Running, running
from bench.servers import Servers, client

SIZE = 500  # the largest batch that is taken
AT_ONCE = 4  # connections that send them
SINGLES = 64  # connections that send single commands


def run(servers: Servers, effort: Effort) -> Values:
    """Each kind of batch, and single commands, in turns."""
    with running(servers, "batch") as program:
        contenders: list[Measure] = [
            partial(_batches, names.ATOMIC, program, effort, atomic=True),
            partial(_batches, OURS, program, effort, atomic=False),
            partial(_batches, names.KEYED_BATCHES, program, effort, atomic=False, keyed=True),
            partial(_singles, program, effort),
        ]
        return interleaved(contenders, effort.rounds)


def _batches(name: str, program: Running, effort: Effort, *, atomic: bool, keyed: bool = False) -> dict[Figure, float]:
    options = Options(
        port=program.port,
        token=program.token,
        user_id=program.user_id,
        connections=AT_ONCE,
        size=SIZE,
        atomic=atomic,
        keyed=keyed,
        warm_up_seconds=effort.warm_up_seconds,
        seconds=3 * effort.seconds,
    )
    with program.worker_paused():
        done = msgspec.json.decode(client("bench.batch_client", msgspec.json.encode(options)), type=Done)
    program.settle()
    return {names.batch(name): done.rate}


def _singles(program: Running, effort: Effort) -> dict[Figure, float]:
    with program.worker_paused():
        rate = load(program.port, program.token, program.user_id, SINGLES, effort).rate
    program.settle()
    return {names.batch(names.ONE_BY_ONE): rate}
