"""The files at a task: their events, their state, and the fold. One stream a task: how many there may be is a rule.

The log knows what a file is called and the digest of its bytes. The bytes are kept elsewhere; see `commands/blobs.py`.
"""

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.errors import Invalid
from domain.events import Event, Recorded, stored
from domain.instant import Instant
from domain.text import check_line

ATTACHMENTS_MAX: Final = 100
NAME_MAX: Final = 255

# Not in the name of a file: what separates folders, and what lets a name be read in another order than it is written
# (Unicode UAX #9), so that `exe.txt` can stand for `txt.exe`.
_NOT_IN_NAMES: Final = re.compile("[/\\\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class AttachmentEvent(Event, frozen=True, kw_only=True):
    """Something happened to a file at a task."""

    task_id: str
    attachment_id: str


@stored("attachment.added")
class AttachmentAdded(AttachmentEvent, frozen=True, kw_only=True):
    """A file was put there: so many bytes, of this kind by their content, with this digest."""

    name: str
    size: int
    media_type: str
    sha256: str


@stored("attachment.removed")
class AttachmentRemoved(AttachmentEvent, frozen=True, kw_only=True):
    """A file was taken away."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file. `added` is the version of the list with which it came to be."""

    id: str
    name: str
    size: int
    media_type: str
    sha256: str
    created_by: str
    created_at: Instant
    added: int


class Attachments(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The files at a task, in the order in which they were added."""

    id: str
    version: int
    position: int
    task_id: str
    items: tuple[Attachment, ...]

    def attachment(self, attachment_id: str) -> Attachment | None:
        """The file of this id."""
        return next((item for item in self.items if item.id == attachment_id), None)


def evolve(attachments: Attachments | None, recorded: Recorded) -> Attachments:
    """The next state. Total over every logged event of the files at a task."""
    before = attachments or Attachments(id=recorded.stream_id, version=0, position=0, task_id="", items=())
    after = replace(before, version=recorded.version, position=recorded.position)
    event = recorded.event
    match event:
        case AttachmentAdded():
            return replace(after, task_id=event.task_id, items=(*before.items, _attachment(event, recorded)))
        case AttachmentRemoved():
            left = tuple(item for item in before.items if item.id != event.attachment_id)
            return replace(after, task_id=event.task_id, items=left)
        case _:  # erased
            return after


def _attachment(event: AttachmentAdded, recorded: Recorded) -> Attachment:
    return Attachment(
        id=event.attachment_id,
        name=event.name,
        size=event.size,
        media_type=event.media_type,
        sha256=event.sha256,
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        added=recorded.version,
    )


def check_name(name: str) -> str:
    """The name of a file, without folders. Raises `Invalid`."""
    check_line(name, "/name", most=NAME_MAX)
    found = _NOT_IN_NAMES.search(name)
    if found or name in (".", ".."):
        what = f"U+{ord(found[0]):04X}" if found else "dots alone"
        raise Invalid("attachment.name", "/name", f"must be the name of a file, got {what} in it", name)
    return name
