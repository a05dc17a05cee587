"""From the command to the frame: how long after an HTTP command a socket has the change."""

import math
from collections.abc import Mapping
from functools import partial

import msgspec

from bench import names
from bench.measuring import Effort, Figure, Values, interleaved
from bench.push_client import Options, Result
from bench.running import Running, running
from bench.servers import Servers, client

RATES = (100, 1_000)


def run(servers: Servers, effort: Effort) -> Values:
    """Both rates in turn, the same program all the time."""
    with running(servers, "push") as program:
        return interleaved([partial(_latencies, program, rate, effort) for rate in RATES], effort.push_rounds)


def _latencies(program: Running, rate: int, effort: Effort) -> Mapping[Figure, float]:
    options = Options(port=program.port, token=program.token, rate=rate, seconds=effort.push_seconds, seed=rate)
    result = msgspec.json.decode(client("bench.push_client", msgspec.json.encode(options)), type=Result)
    program.settle()
    return {
        names.push(names.TO_FRAME_P50, rate): percentile(result.frame_ms, 50),
        names.push(names.TO_FRAME_P99, rate): percentile(result.frame_ms, 99),
        names.push(names.TO_ANSWER_P50, rate): percentile(result.answer_ms, 50),
        names.push(names.TO_ANSWER_P99, rate): percentile(result.answer_ms, 99),
        names.push(names.LATE_P99, rate): percentile(result.late_ms, 99),
    }


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
