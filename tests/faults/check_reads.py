"""The promises made to those who read lists."""

from collections.abc import Iterator

import msgspec

from tests.faults.promises import Promise, Violation
from tests.faults.reads import Read
from tests.faults.recording import Recording


class Item(msgspec.Struct):
    """Which state of which task a row is."""

    id: str
    version: int


_item = msgspec.json.Decoder(Item).decode


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation, read by read."""
    for read in recording.reads:
        if read.position < read.asked:
            text = f"a list from {read.asked} on shows {read.position}"
            yield Violation(Promise.READ_FROM, text)
        for item in read.items:
            yield from _row(recording, read, item)
    yield from _order(recording)


def _row(recording: Recording, read: Read, item: bytes) -> Iterator[Violation]:
    row = _item(item)
    if row.version != recording.folds.version_at(row.id, read.position):
        text = f"at {read.position} {row.id} has version {recording.folds.version_at(row.id, read.position)}"
        yield Violation(Promise.TRUE_LISTS, f"{text}, the list shows {row.version}")
    elif item != (folded := recording.folds.document(row.id, row.version)):
        yield Violation(Promise.TRUE_LISTS, f"the list shows {item!r}, the log folds to {folded!r}")


def _order(recording: Recording) -> Iterator[Violation]:
    """Reads that began after others ended show no less, unless the server crashed after those began."""
    moments = [(crash, -1, 0) for crash in recording.crashes]
    for number, read in enumerate(recording.reads):
        moments += [(read.started, 0, number), (read.ended, 1, number)]
    shown, crashed, bounds = 0, 0, dict[int, int]()
    for moment, kind, number in sorted(moments):
        if kind == -1:
            shown, crashed = 0, moment
            continue
        read = recording.reads[number]
        if kind == 0:
            bounds[number] = shown
        elif read.started > crashed:
            if read.position < bounds[number]:
                text = f"a read shows {read.position} after another one showed {bounds[number]}"
                yield Violation(Promise.MONOTONIC_READS, text)
            shown = max(shown, read.position)
