"""What an event changed, field by field: before and after. Used by histories and by refused preconditions."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from domain.events import Recorded

# These move with every event and say nothing about it.
_ENVELOPE: Final = frozenset({"id", "version", "position", "created_by", "created_at", "updated_at", "joined_at"})


def difference(before: msgspec.Struct | None, after: msgspec.Struct) -> dict[str, dict[str, Any]]:
    """The fields of two states whose values differ: `{field: {"from": …, "to": …}}`, as JSON values."""
    changes = {}
    for field in after.__struct_fields__:
        old, new = getattr(before, field, None), getattr(after, field)
        if old != new and field not in _ENVELOPE:
            changes[field] = {"from": msgspec.to_builtins(old), "to": msgspec.to_builtins(new)}
    return changes


def changed_since(
    history: Iterable[Recorded], version: int, evolve: Callable[[Any, Recorded], msgspec.Struct]
) -> list[dict[str, Any]]:
    """Which fields changed after a version, by whom and when; `history` starts at the stream's first event."""
    changed = []
    state: msgspec.Struct | None = None
    for event in history:
        before, state = state, evolve(state, event)
        if event.version > version:
            changed += [
                {"field": field, "by": event.meta.actor, "at": event.recorded_at, "version": event.version}
                for field in difference(before, state)
            ]
    return changed
