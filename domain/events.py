"""What an event is, and the codec of the log: stored name and version <-> record.

A stored name and its version are a file format for ever. To change the shape of an event, give the new record
the next version and leave the old one here: `tests/stored` holds a golden document of each.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from domain.errors import Rejection
from domain.instant import Instant


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A fact, past tense. Its fields are what `data` holds; who and when stand in the envelope."""


class Erased(Event, frozen=True, kw_only=True):
    """Stands for an event whose data were erased for good. What it was remains known, what it said does not."""

    name: str


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who caused an event and by what. Ids only: nothing here may ever need to be erased.

    `correlation_id` is the request id, `causation_id` the command's id.
    """

    actor: str
    correlation_id: str
    causation_id: str


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event as the log holds it. `position` is dense in the workspace, `version` dense in the stream."""

    position: int
    stream_id: str
    version: int
    event: Event
    meta: Meta
    recorded_at: Instant


class UnknownEvent(Rejection):
    """The log holds a name or version this program does not know: an older program reads a newer log."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__("event.unknown", f"no event is known as {name!r} version {version}")


E = TypeVar("E", bound=type[Event])

NAMES: Final[dict[type[Event], tuple[str, int]]] = {}
_DECODERS: Final[dict[tuple[str, int], msgspec.json.Decoder[Event]]] = {}
_META: Final = msgspec.json.Decoder(Meta)

encode: Final[Callable[[Event | Meta], bytes]] = msgspec.json.Encoder().encode


def stored(name: str, version: int = 1) -> Callable[[E], E]:
    """Register a record under the name and version that the log keeps."""

    def register(record: E) -> E:
        if (name, version) in _DECODERS:
            raise ValueError(f"{name} version {version} is registered twice")
        NAMES[record] = (name, version)
        _DECODERS[name, version] = msgspec.json.Decoder(record)
        return record

    return register


def decode(name: str, version: int, data: str | bytes | None) -> Event:
    """Read the data of a logged event; `None` means that they were erased.

    Raises `UnknownEvent` for a name or version that is not registered, `msgspec.ValidationError` for data that
    do not have the shape of that version.
    """
    decoder = _DECODERS.get((name, version))
    if decoder is None:
        raise UnknownEvent(name, version)
    return Erased(name=name) if data is None else decoder.decode(data)


def decode_meta(meta: str | bytes) -> Meta:
    """Read the envelope's part that is stored as JSON."""
    return _META.decode(meta)


# As a query of the log gives it: position, stream_id, version, recorded_at, name, schema_version, meta, data.
LoggedRow = tuple[int, str, int, Instant, str, int, str, str | None]


def recorded(row: LoggedRow) -> Recorded:
    """The event in a row of the log. Raises as `decode` does."""
    position, stream_id, version, recorded_at, name, schema_version, meta, data = row
    return Recorded(position, stream_id, version, decode(name, schema_version, data), decode_meta(meta), recorded_at)


def name_of(event: Event) -> str:
    """The stored name of an event: `task.assigned`."""
    return event.name if isinstance(event, Erased) else NAMES[type(event)][0]


def kind_of(record: type[Event]) -> str:
    """The kind of stream that such events belong to: the first part of their stored name."""
    return NAMES[record][0].partition(".")[0]


def registered() -> list[tuple[str, int]]:
    """Every stored name with every version that decodes."""
    return sorted(_DECODERS)
