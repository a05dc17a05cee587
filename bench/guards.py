"""What it costs a request that somebody asks who wants it and whether they may: the API beside itself without that.

Counted is the processor time of the API process for a request, so that the database and the client take no part.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from api.embedded.process import free_port
from bench import names
from bench.fanout_program import Api, User, register, serving
from bench.http import load as load_on
from bench.http_client import TASKS
from bench.measuring import OURS, Effort, Figure, Values, interleaved
from bench.processes import going, processor_seconds, stopped
from bench.running import Running, running
from bench.servers import Servers

CONNECTIONS: Final = 32
WITHOUT: Final = {
    OURS: (),
    names.GUARDED_EACH: ("memory",),
    names.NO_AUTHENTICATION: ("authentication",),
    names.NO_AUTHORISATION: ("authorisation",),
    names.NEITHER: ("authentication", "authorisation"),
    names.NO_LIMITS: ("authentication", "authorisation", "limits"),
}


@dataclass(frozen=True, slots=True)
class Contender:
    """An API process of its own, which lacks some guards."""

    name: str
    pid: int
    port: int


def run(servers: Servers, effort: Effort) -> Values:
    """All of them on one database, by turns; who waits for its turn is stopped."""
    with running(servers, "guards") as program, ExitStack() as stack:
        member = register(Api(program.port), 1)
        path = _task(program, member)
        contenders = [stack.enter_context(_serving(servers, program, name, member)) for name in WITHOUT]
        pids = [program.worker.pid, *(contender.pid for contender in contenders)]
        loads = {names.COMMANDS: "", names.READS: path}
        with stopped(*pids):
            values = interleaved(
                [
                    partial(_measured, contender, load, loads[load], member, effort)
                    for load in loads
                    for contender in contenders
                ],
                effort.rounds,
            )
    return values | {names.guards_cost(load): _costs(values, load) for load in loads}


def _task(program: Running, member: User) -> str:
    """The path of a task of the member's, which can be read already."""
    made = Api(program.port).call("POST", TASKS, {"title": "Write the report"}, member.token)
    path = f"{TASKS}/{made['id']}"
    Api(program.port).call("GET", f"{path}?min_position={made['position']}", token=member.token)
    return path


@contextmanager
def _serving(servers: Servers, program: Running, name: str, member: User) -> Iterator[Contender]:
    port = free_port()
    parts = [word for part in WITHOUT[name] for word in ("--without", part)]
    arguments = ("bench.stripped", "--user", member.id, "--workspace", program.database.workspace_id, *parts)
    with serving(servers, f"guards-{port}", port, servers.environment(program.database), arguments) as process:
        yield Contender(name, process.pid, port)


def _measured(contender: Contender, load: str, path: str, member: User, effort: Effort) -> Mapping[Figure, float]:
    with going(contender.pid):
        before = processor_seconds(contender.pid)
        done = load_on(contender.port, member.token, member.id, CONNECTIONS, effort, path)
        used = processor_seconds(contender.pid) - before
    return {names.guards(contender.name, load): done.requests / used}


def _costs(values: Values, load: str) -> list[float]:
    """Microseconds, of each round."""
    ours, neither = values[names.guards(OURS, load)], values[names.guards(names.NEITHER, load)]
    return [1e6 / mine - 1e6 / theirs for mine, theirs in zip(ours, neither, strict=True)]
