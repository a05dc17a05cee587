"""Taking back what was said and done around a task: comments, watchers, the checklist, hours and files."""

from collections.abc import Mapping, Sequence
from typing import Final

from commands.appending import Fact
from commands.attachment import RemoveAttachment, may_attach
from commands.checklist import ChangeItem, RemoveItem
from commands.deciding import Context
from commands.inverse.step import Inverse, Step, depends
from commands.talk import around
from commands.timesheet import EditEntry, RemoveEntry
from domain.attachment import AttachmentAdded, AttachmentRemoved
from domain.checklist import (
    ITEMS_MAX,
    Checklist,
    ItemAdded,
    ItemChecked,
    ItemEdited,
    ItemMoved,
    ItemRemoved,
    ItemUnchecked,
)
from domain.comment import CommentDeleted, CommentEdited, CommentPosted, CommentRestored
from domain.errors import Conflict
from domain.events import Event
from domain.policy import Action
from domain.timesheet import ENTRIES_MAX, EntryAdded, EntryEdited, EntryRemoved, Timesheet, edited_fields
from domain.undo import above
from domain.watching import WATCHERS_MAX, WatcherAdded, WatcherRemoved, WatcherRestored, Watching, Why


def _comment(context: Context, step: Step) -> Sequence[Fact]:
    """It says again what it said, or is deleted as it was. Whoever may delete it may do so: no new words come in."""
    after = step.after
    around(context, after.task_id, Action.COMMENT_DELETE, after.created_by)  # type: ignore[union-attr,arg-type]
    before = step.before
    if before is None or before.deleted_at:
        return step.fact(CommentDeleted())
    return step.fact(CommentRestored(body=before.body, mentions=before.mentions, edited_at=before.edited_at))


def _watcher(context: Context, step: Step) -> Sequence[Fact]:
    """As it was before. Who watches for a mention does so with the comment, and goes with it."""
    event, watching = step.event, context.read(step.stream_id, Watching)
    why, removed = None, False
    if step.before is not None:
        why, removed = step.before.added.get(event.user_id), event.user_id in step.before.removed
    if not is_for_a_mention(step):
        around(context, event.task_id, Action.WATCHER_ADD, event.user_id)
    if why is not None and watching is not None and len(watching.added) >= WATCHERS_MAX:
        detail = f"a task has at most {WATCHERS_MAX} watchers besides creator and assignee"
        raise Conflict("watcher.too_many", detail)
    return step.fact(WatcherRestored(task_id=event.task_id, user_id=event.user_id, why=why, removed=removed))


def is_for_a_mention(step: Step) -> bool:
    """Whether it is no wish, but follows from a comment: it is left as it is where somebody had a wish since."""
    return isinstance(step.event, WatcherAdded) and step.event.why is Why.MENTION


def _item_added(context: Context, step: Step) -> Sequence[Fact]:
    return RemoveItem(step.event.task_id, step.event.item_id).decide(context)


def _item_changed(context: Context, step: Step) -> Sequence[Fact]:
    before, about = step.before.item(step.event.item_id), (step.event.task_id, step.event.item_id)
    match step.event:
        case ItemEdited():
            return ChangeItem(*about, text=before.text).decide(context)
        case ItemMoved():
            return ChangeItem(*about, after=_place(context, step)).decide(context)
        case _:
            return ChangeItem(*about, checked=before.checked).decide(context)


def _item_removed(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again where it was, or below what is left of what stood above it."""
    event = step.event
    around(context, event.task_id, Action.CHECKLIST_CHANGE)
    now, before = context.read(step.stream_id, Checklist), step.before.item(event.item_id)
    if now is not None and len(now.items) >= ITEMS_MAX:
        raise Conflict("checklist.full", f"a checklist has at most {ITEMS_MAX} items")
    about = {"task_id": event.task_id, "item_id": event.item_id}
    facts = step.fact(ItemAdded(**about, text=before.text, after=_place(context, step)))
    return [*facts, *step.fact(ItemChecked(**about))] if before.checked else facts


def _place(context: Context, step: Step) -> str | None:
    """Below which item one stood, of those that are there."""
    now = context.read(step.stream_id, Checklist)
    here = set() if now is None else {item.id for item in now.items}
    found = above(step.before.items, step.event.item_id)
    while found is not None and found not in here:
        found = above(step.before.items, found)
    return found


def _entry_added(context: Context, step: Step) -> Sequence[Fact]:
    return RemoveEntry(step.event.task_id, step.event.entry_id).decide(context)


def _entry_edited(context: Context, step: Step) -> Sequence[Fact]:
    entry = step.before.entry(step.event.entry_id)
    fields = {name: getattr(entry, name) for name in edited_fields(step.event)}
    return EditEntry(step.event.task_id, step.event.entry_id, **fields).decide(context)


def _entry_removed(context: Context, step: Step) -> Sequence[Fact]:
    event = step.event
    entry, now = step.before.entry(event.entry_id), context.read(step.stream_id, Timesheet)
    around(context, event.task_id, Action.TIME_CHANGE, entry.user_id)
    if now is not None and len(now.entries) >= ENTRIES_MAX:
        raise Conflict("timesheet.full", f"a timesheet has at most {ENTRIES_MAX} entries")
    about = {"task_id": event.task_id, "entry_id": event.entry_id, "user_id": entry.user_id}
    return step.fact(EntryAdded(**about, minutes=entry.minutes, on=entry.on, note=entry.note))


def _file_added(context: Context, step: Step) -> Sequence[Fact]:
    return RemoveAttachment(step.event.task_id, step.event.attachment_id).decide(context)


def _file_removed(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again; its bytes are kept for as long as a command can be taken back."""
    event = step.event
    file = step.before.attachment(event.attachment_id)
    if file is None:
        raise depends("what the file was is not known any more")
    around(context, event.task_id, Action.ATTACHMENT_REMOVE, file.created_by)
    may_attach(context, event.task_id)
    about = {"task_id": event.task_id, "attachment_id": file.id, "name": file.name}
    return step.fact(AttachmentAdded(**about, size=file.size, media_type=file.media_type, sha256=file.sha256))


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    **dict.fromkeys((CommentPosted, CommentEdited, CommentDeleted, CommentRestored), _comment),
    **dict.fromkeys((WatcherAdded, WatcherRemoved, WatcherRestored), _watcher),
    ItemAdded: _item_added,
    **dict.fromkeys((ItemEdited, ItemChecked, ItemUnchecked, ItemMoved), _item_changed),
    ItemRemoved: _item_removed,
    EntryAdded: _entry_added,
    EntryEdited: _entry_edited,
    EntryRemoved: _entry_removed,
    AttachmentAdded: _file_added,
    AttachmentRemoved: _file_removed,
}
