"""Commands a second over HTTP: the whole program beside ordinary FastAPI endpoints that store nothing."""

from functools import partial

import httpx
import msgspec
import orjson

from bench import names
from bench.http_client import Done, Options
from bench.measuring import OURS, Effort, Figure, Measure, Values, interleaved
from bench.running import Running, running
from bench.servers import Servers, client


def run(servers: Servers, effort: Effort) -> Values:
    """All three at all numbers of connections; those that wait for their turn are idle processes."""
    with (
        running(servers, "http") as program,
        servers.web("ordinary", ["bench.ordinary"], {}) as plain_port,
        servers.web("ordinary-token", ["bench.ordinary", "--token", _public_key(program)], {}) as token_port,
    ):
        contenders: list[Measure] = []
        for connections in effort.connections:
            contenders += [
                partial(_ours, program, connections, effort),
                partial(_projecting, program, connections, effort),
                partial(_ordinary, names.ORDINARY, program, plain_port, connections, effort),
                partial(_ordinary, names.ORDINARY_TOKEN, program, token_port, connections, effort),
            ]
        return interleaved(contenders, effort.rounds)


def _public_key(program: Running) -> str:
    """The key that signs the program's tokens, as JSON."""
    keys = httpx.get(f"http://127.0.0.1:{program.port}/.well-known/jwks.json").raise_for_status().json()["keys"]
    return orjson.dumps(keys[0]).decode()


def _ours(program: Running, connections: int, effort: Effort) -> dict[Figure, float]:
    with program.worker_paused():
        rate = _load(program, program.port, connections, effort)
    program.settle()
    return {names.http(OURS, connections): rate}


def _projecting(program: Running, connections: int, effort: Effort) -> dict[Figure, float]:
    rate = _load(program, program.port, connections, effort)
    program.settle()
    return {names.http(names.PROJECTING, connections): rate}


def _ordinary(name: str, program: Running, port: int, connections: int, effort: Effort) -> dict[Figure, float]:
    return {names.http(name, connections): _load(program, port, connections, effort)}


def _load(program: Running, port: int, connections: int, effort: Effort) -> float:
    return load(port, program.token, program.user_id, connections, effort).rate


def load(port: int, token: str, user_id: str, connections: int, effort: Effort, path: str = "") -> Done:
    """What the client got done in one measurement: commands by this user, or with `path` reads of what is there."""
    options = Options(
        port=port,
        token=token,
        user_id=user_id,
        connections=connections,
        warm_up_seconds=effort.warm_up_seconds,
        seconds=effort.seconds,
        path=path,
    )
    return msgspec.json.decode(client("bench.http_client", msgspec.json.encode(options)), type=Done)
