"""How many saved views somebody has. One stream an owner, which all that come and go are said in.

It is what the limit of views looks at.
"""

from typing import Final
from uuid import UUID, uuid5

import msgspec

from domain.events import Event, Recorded, name_of, stored

VIEWS_MAX: Final = 200  # of one owner


@stored("shelf.view_added")
class ShelfViewAdded(Event, frozen=True, kw_only=True):
    """The owner has this view now."""

    view_id: str


@stored("shelf.view_removed")
class ShelfViewRemoved(Event, frozen=True, kw_only=True):
    """The owner has it no longer."""

    view_id: str


class Shelf(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: how many views there are."""

    id: str
    version: int
    position: int
    count: int


def shelf_of(user_id: str) -> str:
    """The id of the stream of somebody's views (UUID version 5, RFC 9562 §5.5). For ever: logs hold it."""
    return str(uuid5(UUID(user_id), "shelf"))


def evolve(shelf: Shelf | None, recorded: Recorded) -> Shelf:
    """The next state. The name says all that counts, so an event that was erased counts as well."""
    before = 0 if shelf is None else shelf.count
    more = 1 if name_of(recorded.event) == "shelf.view_added" else -1
    return Shelf(id=recorded.stream_id, version=recorded.version, position=recorded.position, count=before + more)
