"""What one command wants of the log, and what the log answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from domain.events import Event, Meta, Recorded, encode, recorded

_decode: Final = msgspec.json.Decoder(list[list[Any]]).decode


class Fact(NamedTuple):
    """An event on its way into the log, with the stream that it belongs to."""

    stream_id: str
    event: Event


class KeptStep(NamedTuple):
    """One of several commands of a client that are appended as one, as a retry is to find it: under a key of its own.

    `events` counts those of all steps up to this one.
    """

    key: str
    command_id: str
    stream_id: str
    version: int
    events: int


@dataclass(slots=True)
class Append:
    """What one command wants of the log: events that stand only if no stream that it read has moved.

    `reads` holds every stream that the command read or writes, with the version it saw (0: not there yet).
    `stream_id` is the stream of its receipt. It has one effect however often it is sent: by its `command_id`, which
    its events carry, and for ever by the `key` of a client who may ask again. `keep` records the key although nothing
    changed. `fingerprint` is the hash of the request, in hexadecimal.

    Where it stands for several commands, `metas` are those of each fact, and `steps` are kept beside its key.
    """

    workspace_id: str
    command_id: str
    principal: str
    key: str | None
    keep: bool
    fingerprint: str
    stream_id: str
    reads: Mapping[str, int]
    facts: Sequence[Fact]
    meta: Meta
    metas: Sequence[Meta] = ()
    steps: Sequence[KeptStep] = ()
    writes: frozenset[str] = field(init=False)
    data: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.writes = frozenset(fact.stream_id for fact in self.facts)
        self.data = [encode(fact.event) for fact in self.facts]
        if not self.writes <= self.reads.keys():
            raise ValueError("every stream that is written must have been read")

    @property
    def size(self) -> int:
        """About how many bytes it adds to a batch."""
        return 500 + sum(map(len, self.data))

    @property
    def version(self) -> int:
        """The version of the receipt's stream once the events are in."""
        return self.reads.get(self.stream_id, 0) + [fact.stream_id for fact in self.facts].count(self.stream_id)


class Outcome(StrEnum):
    """How an append ended."""

    COMMITTED = "committed"
    CONFLICT = "conflict"
    KNOWN = "known"


class Verdict(NamedTuple):
    """The log's answer to one append.

    `position` is that of the command's last event, or the head of the log where it has none. When `KNOWN`,
    everything is as it was when the key was first used; when `CONFLICT`, nothing was written, and `missed` holds events
    past the versions that were expected, as JSON (a first part of them, where they are many). `contended` says that
    another process lost over a stream that it writes just before.
    """

    outcome: Outcome
    position: int
    recorded_at: str
    command_id: str | None = None
    fingerprint: str | None = None
    stream_id: str | None = None
    version: int | None = None
    missed: str | None = None
    contended: bool = False

    @property
    def events(self) -> list[Recorded]:
        """What it missed, by position."""
        return [recorded(tuple(row)) for row in _decode(self.missed or "[]")]


CONFLICT: Final = Verdict(Outcome.CONFLICT, 0, "")
