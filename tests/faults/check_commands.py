"""The promises made to those who send commands: the ledger against keys and events."""

from collections import Counter
from collections.abc import Iterator

from domain.events import Recorded
from tests.faults.ledger import Answer, Entry
from tests.faults.promises import Promise, Violation
from tests.faults.recording import KeyRow, Recording, document

Name = tuple[str, str]  # a user and a key


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation, command by command, then what no command explains."""
    keys: dict[Name, list[KeyRow]] = {}
    for row in recording.keys:
        keys.setdefault((row.principal, row.key), []).append(row)
    effects: dict[str, list[Recorded]] = {}
    for event in recording.events:
        effects.setdefault(event.recorded.meta.causation_id, []).append(event.recorded)
    for entry in recording.ledger:
        yield from _entry(recording, entry, keys.get((entry.user_id, f"key:{entry.key}"), []), effects)
    yield from _unexplained(recording, effects)


def _entry(
    recording: Recording, entry: Entry, rows: list[KeyRow], effects: dict[str, list[Recorded]]
) -> Iterator[Violation]:
    if not entry.answers:
        yield Violation(Promise.ANSWERED, f"{entry}, {entry.attempts} attempts")
        return
    if (receipt := entry.receipt) is None:
        if rows:
            yield Violation(Promise.REFUSED_IS_VOID, f"{entry}: refused {entry.answers[0].body}, but its key is kept")
        return
    yield from _replays(entry, receipt)
    if len(rows) != 1:
        yield Violation(Promise.ONCE_IN_THE_LOG, f"{entry}: {len(rows)} keys")
        return
    events = effects.get(rows[0].command_id, [])
    yield from _effect(entry, rows[0], events)
    yield from _receipt(recording, entry, receipt, rows[0])


def _replays(entry: Entry, receipt: Answer) -> Iterator[Violation]:
    for answer in entry.answers[entry.answers.index(receipt) + 1 :]:
        if not answer.replayed or answer._replace(replayed=receipt.replayed) != receipt:
            yield Violation(Promise.EQUAL_REPLAYS, f"{entry}: first {receipt}, then {answer}")


def _effect(entry: Entry, row: KeyRow, events: list[Recorded]) -> Iterator[Violation]:
    """What a command put into the log stands together, is its user's, and ends where its key says."""
    positions = [event.position for event in events]
    if not events and entry.path == "/tasks":
        yield Violation(Promise.ONCE_IN_THE_LOG, f"{entry}: its events are not there")
    if events and positions != list(range(row.position - len(events) + 1, row.position + 1)):
        yield Violation(Promise.ONCE_IN_THE_LOG, f"{entry}: its events stand at {positions}, its key at {row.position}")
    if any(event.meta.actor != entry.user_id for event in events):
        yield Violation(Promise.NO_EFFECT_UNKNOWN, f"{entry}: its events name another actor")


def _receipt(recording: Recording, entry: Entry, receipt: Answer, row: KeyRow) -> Iterator[Violation]:
    if (receipt.stream_id, receipt.version, receipt.position) != (row.stream_id, row.version, row.position):
        yield Violation(Promise.TRUE_RECEIPT, f"{entry}: the receipt is {receipt}, the key {row}")
    upto = [event.version for event in recording.history.get(row.stream_id, ()) if event.position <= row.position]
    if max(upto, default=0) != row.version:
        text = f"{entry}: version {row.version} at position {row.position}, but the stream has {max(upto, default=0)}"
        yield Violation(Promise.TRUE_RECEIPT, text)
    elif "title" in receipt.body:
        folded = document(recording.task(row.stream_id, row.version))
        if folded != receipt.body:
            yield Violation(Promise.TRUE_RECEIPT, f"{entry}: answered {receipt.body}, the log folds to {folded}")


def _unexplained(recording: Recording, effects: dict[str, list[Recorded]]) -> Iterator[Violation]:
    """No event without a key, no key with two commands, no key that nobody sent."""
    commands = Counter(row.command_id for row in recording.keys)
    for command_id, events in effects.items():
        if commands[command_id] != 1:
            text = f"the events at {[event.position for event in events]} belong to {commands[command_id]} keys"
            yield Violation(Promise.NO_EFFECT_UNKNOWN, text)
    sent = {(entry.user_id, f"key:{entry.key}") for entry in recording.ledger}
    for row in recording.keys:
        if row.key.startswith("key:") and (row.principal, row.key) not in sent:
            yield Violation(Promise.NO_EFFECT_UNKNOWN, f"nobody sent the key {row}")
