"""The promises made to those who send commands: the ledger against keys and events."""

from collections import Counter
from collections.abc import Iterator

from domain.events import Recorded
from tests.faults.ledger import Answer, Entry
from tests.faults.promises import Promise, Violation
from tests.faults.recording import KeyRow, Recording

Name = tuple[str, str]  # a user and a key


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation, command by command, then what no command explains."""
    keys: dict[Name, list[KeyRow]] = {}
    for row in recording.keys:
        keys.setdefault((row.principal, row.key), []).append(row)
    effects: dict[str, list[Recorded]] = {}
    for event in recording.decoded:
        effects.setdefault(event.meta.causation_id, []).append(event)
    for entry in recording.ledger:
        yield from _entry(recording, entry, keys.get((entry.user_id, entry.key), []), effects)
    yield from _unexplained(recording, effects)


def _entry(
    recording: Recording, entry: Entry, rows: list[KeyRow], effects: dict[str, list[Recorded]]
) -> Iterator[Violation]:
    if not entry.answers:
        yield Violation(Promise.ANSWERED, f"{entry}, {entry.attempts} attempts")
        return
    if (receipt := entry.receipt) is None:
        if rows and entry.all_answered:
            text = f"{entry}: refused {entry.answers[0].body.decode()}, but its key is kept"
            yield Violation(Promise.REFUSED_IS_VOID, text)
        return
    yield from _replays(entry, receipt)
    if len(rows) != 1:
        yield Violation(Promise.ONCE_IN_THE_LOG, f"{entry}: {len(rows)} keys")
        return
    events = effects.get(rows[0].command_id, [])
    yield from _effect(entry, rows[0], events)
    yield from _receipt(recording, entry, receipt, rows[0])


def _replays(entry: Entry, receipt: Answer) -> Iterator[Violation]:
    """All that say that it took effect say the same, and one of them at most that it was the first to say so."""
    done, firsts = False, 0
    for answer in entry.answers:
        if answer.status >= 300:
            if done and not entry.twins:  # of two at the same time, one may have been decided before
                yield Violation(Promise.EQUAL_REPLAYS, f"{entry}: first {receipt}, then {answer}")
            continue
        done = True
        firsts += not answer.replayed
        if firsts > 1 or _said(entry, answer) != _said(entry, receipt):
            yield Violation(Promise.EQUAL_REPLAYS, f"{entry}: first {receipt}, then {answer}")


def _said(entry: Entry, answer: Answer) -> Answer:
    """What must be equal: all but the flag, and a profile, which is no fact of the log."""
    return answer._replace(replayed=False, body=answer.body if entry.is_of_a_task else b"")


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
    version = recording.folds.version_at(row.stream_id, row.position)
    if version != row.version:
        text = f"{entry}: version {row.version} at position {row.position}, but the stream has {version}"
        yield Violation(Promise.TRUE_RECEIPT, text)
    elif entry.is_of_a_task and receipt.body != (folded := recording.folds.document(row.stream_id, row.version)):
        yield Violation(Promise.TRUE_RECEIPT, f"{entry}: answered {receipt.body!r}, the log folds to {folded!r}")


def _unexplained(recording: Recording, effects: dict[str, list[Recorded]]) -> Iterator[Violation]:
    """No event without a key, but for those by which people join; no key with two commands, no key that nobody sent."""
    commands = Counter(row.command_id for row in recording.keys)
    for command_id, events in effects.items():
        joined = any(event.version == 1 and event.stream_id in recording.folds.users for event in events)
        if commands[command_id] != (0 if joined else 1):
            text = f"the events at {[event.position for event in events]} belong to {commands[command_id]} keys"
            yield Violation(Promise.NO_EFFECT_UNKNOWN, text)
    sent = {(entry.user_id, entry.key) for entry in recording.ledger}
    for row in recording.keys:
        if (row.principal, row.key) not in sent:
            yield Violation(Promise.NO_EFFECT_UNKNOWN, f"nobody sent the key {row}")
