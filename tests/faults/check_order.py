"""The order of commands: what a client knew to be done when another command was sent stands before that one."""

from collections.abc import Iterator

from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording


def check(recording: Recording) -> Iterator[Violation]:
    """Every command that stands before one which was acknowledged before it was sent.

    A command without an event of its own answers the end of the log as it then was: it may stand level, never behind.
    """
    moments: list[tuple[int, int, int]] = []  # moment, what happened (0: sent, 1: acknowledged), which command
    for number, entry in enumerate(recording.ledger):
        if entry.receipt is not None:
            moments += [(entry.sent, 0, number), (entry.acknowledged, 1, number)]
    done, before = 0, -1
    known: dict[int, tuple[int, int]] = {}
    for _, kind, number in sorted(moments):
        entry = recording.ledger[number]
        receipt = entry.receipt
        assert receipt is not None
        position = receipt.position or 0
        if kind == 0:
            known[number] = done, before
            continue
        bound, other = known.pop(number)
        if position < bound:
            text = f"{entry} stands at {position}, but {recording.ledger[other]} was acknowledged at {bound} before"
            yield Violation(Promise.REAL_TIME_ORDER, text)
        if position > done:
            done, before = position, number
