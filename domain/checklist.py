"""The checklist of a task: its events, its state, and the fold. One stream a task, so its order is one too."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from domain.events import Event, Recorded, stored
from domain.instant import Instant

ITEMS_MAX: Final = 200
TEXT_MAX: Final = 500


class ItemEvent(Event, frozen=True, kw_only=True):
    """Something happened to an item of the checklist of a task."""

    task_id: str
    item_id: str


@stored("checklist.item_added")
class ItemAdded(ItemEvent, frozen=True, kw_only=True):
    """An item came to be, after another one, or as the first."""

    text: str
    after: str | None = None


@stored("checklist.item_edited")
class ItemEdited(ItemEvent, frozen=True, kw_only=True):
    """An item says something else."""

    text: str


@stored("checklist.item_checked")
class ItemChecked(ItemEvent, frozen=True, kw_only=True):
    """What an item asks for is done."""


@stored("checklist.item_unchecked")
class ItemUnchecked(ItemEvent, frozen=True, kw_only=True):
    """It is not, after all."""


@stored("checklist.item_moved")
class ItemMoved(ItemEvent, frozen=True, kw_only=True):
    """An item has another place: after this one, or as the first."""

    after: str | None = None


@stored("checklist.item_removed")
class ItemRemoved(ItemEvent, frozen=True, kw_only=True):
    """An item is not on the list any more."""


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An item. `added` is the version of the checklist with which it came to be."""

    id: str
    text: str
    checked: bool
    checked_by: str | None
    checked_at: Instant | None
    added: int


class Checklist(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a checklist; its items are in their order."""

    id: str
    version: int
    position: int
    task_id: str
    items: tuple[Item, ...]

    def item(self, item_id: str) -> Item | None:
        """The item of this id."""
        return next((item for item in self.items if item.id == item_id), None)


def evolve(checklist: Checklist | None, recorded: Recorded) -> Checklist:
    """The next state. Total over every logged event of a checklist; what is about an erased item changes nothing."""
    before = checklist or Checklist(id=recorded.stream_id, version=0, position=0, task_id="", items=())
    after = replace(before, version=recorded.version, position=recorded.position)
    event = recorded.event
    if not isinstance(event, ItemEvent):  # erased
        return after
    return replace(after, task_id=event.task_id, items=_CHANGES[type(event)](before, event, recorded))


Items = tuple[Item, ...]


def put(items: Items, item: Item, after: str | None) -> Items:
    """The items with this one after another; at the end where that one is not there."""
    rest = [each for each in items if each.id != item.id]
    ids = [each.id for each in rest]
    place = 0 if after is None else ids.index(after) + 1 if after in ids else len(rest)
    return (*rest[:place], item, *rest[place:])


def _added(before: Checklist, event: ItemAdded, recorded: Recorded) -> Items:
    item = Item(
        id=event.item_id, text=event.text, checked=False, checked_by=None, checked_at=None, added=recorded.version
    )
    return put(before.items, item, event.after)


def _moved(before: Checklist, event: ItemMoved, _: Recorded) -> Items:
    item = before.item(event.item_id)
    return before.items if item is None else put(before.items, item, event.after)


def _removed(before: Checklist, event: ItemRemoved, _: Recorded) -> Items:
    return tuple(item for item in before.items if item.id != event.item_id)


def _changed(before: Checklist, event: ItemEvent, **fields: Any) -> Items:
    return tuple(replace(item, **fields) if item.id == event.item_id else item for item in before.items)


_CHANGES: Final[dict[type[Event], Callable[[Checklist, Any, Recorded], Items]]] = {
    ItemAdded: _added,
    ItemEdited: lambda before, event, _: _changed(before, event, text=event.text),
    ItemChecked: lambda before, event, recorded: _changed(
        before, event, checked=True, checked_by=recorded.meta.actor, checked_at=recorded.recorded_at
    ),
    ItemUnchecked: lambda before, event, _: _changed(before, event, checked=False, checked_by=None, checked_at=None),
    ItemMoved: _moved,
    ItemRemoved: _removed,
}
