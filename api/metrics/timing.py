"""The families of what happens at a time."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import Metric

from api.metrics import families
from api.scheduler import Scheduler

HAPPENINGS: Final = ("task.due_passed", "reminder.fired", "task.purged")


def scheduled(scheduler: Scheduler) -> Iterator[Metric]:
    """What a scheduler has let happen."""
    yield families.counters(
        "taskfold_scheduler_events_total",
        "Events that this scheduler wrote because their time had come.",
        ("event",),
        {**dict.fromkeys(HAPPENINGS, 0), **scheduler.happened},
    )
    yield families.counter(
        "taskfold_scheduler_failures_total",
        "What was due and was refused, or not written; it is tried again.",
        scheduler.failed,
    )
    yield families.counter("taskfold_scheduler_looks_total", "Looks at what is due.", scheduler.looks)
    yield families.gauge(
        "taskfold_scheduler_late_seconds", "By how long the last that was found due was late.", scheduler.late
    )
