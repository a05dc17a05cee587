"""The families of the write side."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from api.metrics import families
from commands.committer import Committer
from commands.execute import Executor


def appends(committer: Committer, now: float) -> Iterator[Metric]:
    """What the committer did and what waits for it. `now` is on the loop's clock."""
    counts = committer.counts
    yield families.counters(
        "taskfold_appends_total",
        "Appends with a verdict, by outcome: committed with events; unchanged, with none to add; conflict, based on a"
        " stream that had moved; known, answered under their key before; failed, refused by the database.",
        ("outcome",),
        {
            "committed": counts.committed,
            "unchanged": counts.unchanged,
            "conflict": counts.conflicts,
            "known": counts.known,
            "failed": counts.failed,
        },
    )
    yield families.counter(
        "taskfold_append_refusals_total",
        "Appends that were not let into the queue because it was full.",
        counts.queue_full,
    )
    yield families.counter("taskfold_appended_events_total", "Events added to logs.", counts.events)
    yield families.histogram("taskfold_append_batch_size", "Appends in a batch that was answered.", counts.sizes)
    yield families.histogram(
        "taskfold_append_commit_seconds",
        "Time of a call that committed a batch of appends, from sending it to its verdicts.",
        counts.seconds,
    )
    yield families.counter(
        "taskfold_append_resends_total",
        "Times a batch was sent again because its outcome was unknown: the connection broke before the answer, or"
        " there was none.",
        counts.resent,
    )
    yield families.counter(
        "taskfold_append_locked_total",
        "Times a batch was put back because others held the lock of its log.",
        counts.locked,
    )
    yield families.gauge("taskfold_append_queue_depth", "Appends that wait for their verdict.", committer.waiting)
    yield families.gauge(
        "taskfold_append_queue_capacity", "Appends that may wait before others are refused.", committer.max_waiting
    )
    since = committer.oldest
    yield families.gauge(
        "taskfold_append_oldest_waiting_seconds",
        "How long the oldest append without a verdict has waited, 0 when none waits.",
        0.0 if since is None else max(0.0, now - since),
    )


def decisions(executor: Executor) -> Iterator[Metric]:
    """What the executor decided."""
    yield families.counter(
        "taskfold_command_retries_total",
        "Decisions made again because a stream they had read was moved by another command.",
        executor.counts.retries,
    )
    yield families.counter(
        "taskfold_commands_rejected_total", "Commands that their rules rejected.", executor.counts.rejected
    )
