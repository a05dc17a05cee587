"""The promises of the read side: every row is the pure fold of its stream, and nothing is missing."""

from collections.abc import Iterator

import msgspec

from domain import task, user
from domain.events import Recorded, name_of
from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording

_decode = msgspec.json.Decoder(task.Task).decode


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation of the read side's promises."""
    for projection in ("tasks", "users"):
        position, error = recording.checkpoints.get(projection, (0, None))
        if position != recording.head or error is not None:
            text = f"{projection} is at {position} of {recording.head}, error: {error}"
            yield Violation(Promise.AT_THE_HEAD, text)
    yield from _tasks(recording)
    yield from _users(recording)


def _tasks(recording: Recording) -> Iterator[Violation]:
    folded = {id_: task.fold(events) for id_, events in recording.history.items() if _are(events, "task.")}
    rows = {id_: _decode(document) for id_, document in recording.tasks.items()}
    for id_ in sorted(folded.keys() | rows.keys()):
        if rows.get(id_) != folded.get(id_):
            yield Violation(Promise.ROWS_ARE_THE_FOLD, f"the row is {rows.get(id_)}, the fold {folded.get(id_)}")


def _users(recording: Recording) -> Iterator[Violation]:
    folded = {}
    for id_, events in recording.history.items():
        if _are(events, "user."):
            state: user.User | None = None
            for event in events:
                state = user.evolve(state, event)
            assert state is not None
            folded[id_] = (state.version, state.position, str(state.role))
    for id_ in sorted(folded.keys() | recording.users.keys()):
        if recording.users.get(id_) != folded.get(id_):
            text = f"the row of user {id_} is {recording.users.get(id_)}, the fold {folded.get(id_)}"
            yield Violation(Promise.ROWS_ARE_THE_FOLD, text)


def _are(events: list[Recorded], kind: str) -> bool:
    return name_of(events[0].event).startswith(kind)
