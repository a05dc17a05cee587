"""The commands on the files at a task. Their bytes are no events: see `commands/attachments.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.talk import around
from domain.attachment import (
    ATTACHMENTS_MAX,
    AttachmentAdded,
    AttachmentRemoved,
    Attachments,
    check_name,
)
from domain.errors import Conflict, NotFound
from domain.policy import Action
from domain.talk import Part, stream_of


@dataclass(frozen=True, slots=True)
class AttachmentCommand:
    """A command on one file at a task."""

    task_id: str
    attachment_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the task's files."""
        return stream_of(self.task_id, Part.ATTACHMENTS)


@dataclass(frozen=True, slots=True)
class AddAttachment(AttachmentCommand):
    """Put a file there whose bytes are kept already; `attachment_id` is new."""

    name: str
    size: int
    media_type: str
    sha256: str

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact. Raises `Conflict` `attachment.too_many`."""
        name = check_name(self.name)
        may_attach(context, self.task_id)
        event = AttachmentAdded(
            task_id=self.task_id,
            attachment_id=self.attachment_id,
            name=name,
            size=self.size,
            media_type=self.media_type,
            sha256=self.sha256,
        )
        return [Fact(self.stream_id, event)]


@dataclass(frozen=True, slots=True)
class RemoveAttachment(AttachmentCommand):
    """Take a file away."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact. Raises `NotFound`, `Forbidden` for who has not put it there and leads nobody."""
        context.task(self.task_id, Action.TASK_READ)
        attachments = context.read(self.stream_id, Attachments)
        found = None if attachments is None else attachments.attachment(self.attachment_id)
        if found is None:
            raise attachment_not_found()
        around(context, self.task_id, Action.ATTACHMENT_REMOVE, found.created_by)
        return [Fact(self.stream_id, AttachmentRemoved(task_id=self.task_id, attachment_id=self.attachment_id))]


@dataclass(frozen=True, slots=True)
class MayAttach:
    """To put a file there, of which nothing is known yet."""

    task_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the task's files."""
        return stream_of(self.task_id, Part.ATTACHMENTS)

    def decide(self, context: Context) -> Sequence[Fact]:
        """Nothing, unless the actor may not."""
        may_attach(context, self.task_id)
        return []


def may_attach(context: Context, task_id: str) -> None:
    """Raises where the actor may not put one more file there."""
    around(context, task_id, Action.ATTACHMENT_ADD)
    attachments = context.read(stream_of(task_id, Part.ATTACHMENTS), Attachments)
    if attachments is not None and len(attachments.items) >= ATTACHMENTS_MAX:
        raise Conflict("attachment.too_many", f"a task has at most {ATTACHMENTS_MAX} files")


def attachment_not_found() -> NotFound:
    """Unknown, removed, or at another task: one answer."""
    return NotFound("attachment.not_found", "no file at this task has this id")
