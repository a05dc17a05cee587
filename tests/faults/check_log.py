"""The promises of the log itself."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise

from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation of the log's own promises."""
    yield from _positions(recording)
    yield from _versions(recording)
    for earlier, later in pairwise(recording.events):
        if later.recorded_at < earlier.recorded_at:
            yield Violation(Promise.MONOTONIC_TIME, f"position {later.position} was recorded before the one before it")
    for stream_id, why in recording.folds.broken.items():
        yield Violation(Promise.FOLDABLE, f"stream {stream_id} {why}")
    for event in recording.events:
        if event.digest != sha256(event.salt + event.data.encode()).digest():
            yield Violation(Promise.TRUE_DIGESTS, f"position {event.position}")


def _positions(recording: Recording) -> Iterator[Violation]:
    for expected, event in enumerate(recording.events, 1):
        if event.position != expected:
            yield Violation(Promise.DENSE_POSITIONS, f"position {event.position} where {expected} should be")
            break
    last = recording.events[-1].position if recording.events else 0
    if recording.head != last:
        yield Violation(Promise.TRUE_HEAD, f"the log says {recording.head}, its last event has {last}")


def _versions(recording: Recording) -> Iterator[Violation]:
    versions: dict[str, int] = {}
    for event in recording.events:
        expected = versions.get(event.stream_id, 0) + 1
        if event.version != expected:
            text = f"stream {event.stream_id} has version {event.version} where {expected} should be"
            yield Violation(Promise.DENSE_VERSIONS, f"{text}, at position {event.position}")
        versions[event.stream_id] = event.version
