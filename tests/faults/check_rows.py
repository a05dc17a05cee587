"""The promises of the read side: every row is the pure fold of its stream, and nothing is missing."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation of the read side's promises."""
    for projection in ("tasks", "users"):
        position, error = recording.checkpoints.get(projection, (0, None))
        if position != recording.head or error is not None:
            text = f"{projection} is at {position} of {recording.head}, error: {error}"
            yield Violation(Promise.AT_THE_HEAD, text)
    for text in recording.early:
        yield Violation(Promise.PUBLISHED_AFTER_COMMIT, text)
    for text in recording.overlaps:
        yield Violation(Promise.ONE_WRITER, text)
    yield from _rows(recording.tasks, recording.folds.tasks)
    yield from _rows(recording.users, recording.folds.users)


def _rows(rows: Mapping[str, Any], folded: Mapping[str, Any]) -> Iterator[Violation]:
    for id_ in sorted(folded.keys() | rows.keys()):
        if rows.get(id_) != folded.get(id_):
            yield Violation(Promise.ROWS_ARE_THE_FOLD, f"the row is {rows.get(id_)!r}, the fold {folded.get(id_)!r}")
