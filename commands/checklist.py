"""The commands on the checklist of a task."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context
from commands.talk import around
from domain.checklist import (
    ITEMS_MAX,
    TEXT_MAX,
    Checklist,
    Item,
    ItemAdded,
    ItemChecked,
    ItemEdited,
    ItemMoved,
    ItemRemoved,
    ItemUnchecked,
    put,
)
from domain.errors import Conflict, Invalid, NotFound
from domain.events import Event
from domain.policy import Action
from domain.talk import Part, stream_of
from domain.text import check_line


@dataclass(frozen=True, slots=True)
class ChecklistCommand:
    """A command on one item of the checklist of a task."""

    task_id: str
    item_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the checklist."""
        return stream_of(self.task_id, Part.CHECKLIST)

    def items(self, context: Context) -> tuple[Item, ...]:
        """The items, where the actor may change them."""
        around(context, self.task_id, Action.CHECKLIST_CHANGE)
        checklist = context.read(self.stream_id, Checklist)
        return () if checklist is None else checklist.items

    def item(self, context: Context) -> tuple[Item, tuple[Item, ...]]:
        """The item and all of them. Raises `NotFound`."""
        items = self.items(context)
        for item in items:
            if item.id == self.item_id:
                return item, items
        raise NotFound("checklist.item_not_found", "the checklist of this task has no item with this id")

    def facts(self, *events: Event) -> list[Fact]:
        """Events for the checklist's stream."""
        return [Fact(self.stream_id, event) for event in events]


@dataclass(frozen=True, slots=True)
class AddItem(ChecklistCommand):
    """Put something on the list: after an item, as the first (None), or at the end; `item_id` is new."""

    text: str
    after: str | UnsetType | None = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """The item. Raises `Conflict` `checklist.full`."""
        text = check_line(self.text, "/text", most=TEXT_MAX)
        items = self.items(context)
        if len(items) >= ITEMS_MAX:
            raise Conflict("checklist.full", f"a checklist has at most {ITEMS_MAX} items")
        after = _last(items) if self.after is UNSET else _among(items, self.after)
        return self.facts(ItemAdded(task_id=self.task_id, item_id=self.item_id, text=text, after=after))


@dataclass(frozen=True, slots=True)
class ChangeItem(ChecklistCommand):
    """Let an item say something else, check it, put it elsewhere. What is UNSET stays."""

    text: str | UnsetType = UNSET
    checked: bool | UnsetType = UNSET
    after: str | UnsetType | None = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """An event for each of the three that is not so already."""
        if self.text is not UNSET:
            check_line(self.text, "/text", most=TEXT_MAX)
        item, items = self.item(context)
        about = {"task_id": self.task_id, "item_id": self.item_id}
        events: list[Event] = []
        if self.text is not UNSET and self.text != item.text:
            events.append(ItemEdited(**about, text=self.text))
        if self.checked is not UNSET and self.checked is not item.checked:
            events.append(ItemChecked(**about) if self.checked else ItemUnchecked(**about))
        if self.after is not UNSET:
            after = _among([other for other in items if other is not item], self.after)
            if put(items, item, after) != items:
                events.append(ItemMoved(**about, after=after))
        return self.facts(*events)


@dataclass(frozen=True, slots=True)
class RemoveItem(ChecklistCommand):
    """Take an item off the list."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The removal."""
        self.item(context)
        return self.facts(ItemRemoved(task_id=self.task_id, item_id=self.item_id))


def _last(items: Sequence[Item]) -> str | None:
    return items[-1].id if items else None


def _among(items: Sequence[Item], after: str | None) -> str | None:
    if after is not None and after not in [item.id for item in items]:
        raise Invalid("checklist.after", "/after", "must be the id of another item of this list, or null", after)
    return after
