"""The families that every process has: its version, its loop, its pool, Redis, and what the kernel says of it."""

import asyncio
from collections.abc import Iterator
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import Metric

from api.database import Pool
from api.metrics import families
from api.version import VERSION
from domain.tally import Tally
from projections.hints import Listener

LAG_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
TICK_SECONDS: Final = 0.25


class Standard:
    """What Prometheus expects of every process: CPU, memory, files, garbage collection."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield families.gauges(
            "taskfold_build_info", "Always 1, with the version of the program.", ("version",), {VERSION: 1}
        )
        yield from self._registry.collect()


class LoopWatch:
    """Measures how late the event loop runs what is due: that is how long everything else on it waits too."""

    def __init__(self) -> None:
        self.late = Tally(LAG_SECONDS)

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            due = perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.late.add(max(0.0, perf_counter() - due))

    def collect(self) -> Iterator[Metric]:
        """The family."""
        yield families.histogram(
            "taskfold_event_loop_lag_seconds",
            f"How late the event loop was with a timer, measured every {TICK_SECONDS} s.",
            self.late,
        )


def connections(pool: Pool) -> Iterator[Metric]:
    """What the pool of connections to PostgreSQL says of itself."""
    stats = pool.get_stats()
    yield families.gauge("taskfold_pool_connections", "Connections in the pool.", stats.get("pool_size", 0))
    yield families.gauge(
        "taskfold_pool_connections_idle", "Connections of the pool that nobody uses.", stats.get("pool_available", 0)
    )
    yield families.gauge("taskfold_pool_connections_max", "Connections that the pool may have.", pool.max_size)
    yield families.gauge(
        "taskfold_pool_waiting", "Callers that wait for a connection now.", stats.get("requests_waiting", 0)
    )
    yield families.counter(
        "taskfold_pool_requests_total", "Connections asked of the pool.", stats.get("requests_num", 0)
    )
    yield families.counter(
        "taskfold_pool_waits_total", "Callers that had to wait for a connection.", stats.get("requests_queued", 0)
    )
    yield families.counter(
        "taskfold_pool_wait_seconds_total",
        "Time that callers waited for a connection, summed.",
        stats.get("requests_wait_ms", 0) / 1000,
    )
    yield families.counter(
        "taskfold_pool_errors_total", "Callers that got no connection in time.", stats.get("requests_errors", 0)
    )
    yield families.counter(
        "taskfold_pool_connections_lost_total",
        "Connections of the pool that were found broken.",
        stats.get("connections_lost", 0),
    )


def hints(listener: Listener) -> Iterator[Metric]:
    """Whether hints arrive."""
    yield families.gauge(
        "taskfold_redis_connected",
        "1 while this process is subscribed on Redis, else 0: then it goes on by polling.",
        listener.connected.is_set(),
    )
    yield families.counter("taskfold_hints_received_total", "Messages received from Redis.", listener.received)
