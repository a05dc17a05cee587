"""The promises that a run of faults puts to the proof, by name."""

from enum import StrEnum
from typing import NamedTuple


class Promise(StrEnum):
    """What a client, a dashboard or an auditor relies on."""

    DENSE_POSITIONS = "positions are dense"
    DENSE_VERSIONS = "versions are dense"
    FOLDABLE = "every stream folds"
    TRUE_HEAD = "the log ends where its last event stands"
    MONOTONIC_TIME = "recorded_at never runs backwards"
    TRUE_DIGESTS = "a digest is the hash of salt and data"
    ANSWERED = "every command gets an answer in the end"
    ONCE_IN_THE_LOG = "an acknowledged command is in the log exactly once"
    TRUE_RECEIPT = "a receipt says what the log says"
    EQUAL_REPLAYS = "a retry answers what the first one answered"
    REAL_TIME_ORDER = "what was acknowledged before another was sent stands before it"
    NO_EFFECT_UNKNOWN = "nothing is in the log that no acknowledged command put there"
    REFUSED_IS_VOID = "a refused command has no effect"
    ROWS_ARE_THE_FOLD = "a row is the pure fold of its stream, byte for byte"
    AT_THE_HEAD = "every projection is at the end of the log"
    PUBLISHED_AFTER_COMMIT = "what a projector publishes is committed"
    ONE_WRITER = "one worker at a time writes a projection"
    READ_FROM = "a read shows at least the position that it asked for"
    MONOTONIC_READS = "a later read shows no earlier position"
    TRUE_LISTS = "a list shows the rows as they were at its position"
    HELLO = "a socket begins with hello and the epoch"
    NO_HOLE = (
        "a watcher gets every change that it may see, or a later one of the same task and a count of what it missed"
    )
    NO_DOUBLE = "a watcher gets a change once"
    IN_ORDER = "changes come in the order of the log"
    NOTHING_ELSE = "a watcher gets no change that it may not see"
    TRUE_FRAMES = "a change shows the task as it was at its position, byte for byte"
    TRUE_WATERMARKS = "nothing comes that a watermark has passed"
    RESYNC_WITH_CAUSE = "a resync has a cause, and a cause has a resync"
    RESUMABLE = "a watcher goes on where it was"
    HONEST_ENDS = "a socket ends with a code that says what to do"
    HONEST_ANSWERS = "a server in trouble says so, with a status that says what to do"


class Violation(NamedTuple):
    """A promise that was not kept, and by what."""

    promise: Promise
    by: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.by}"
