"""The commands on comments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.talk import around, sees
from commands.watching import watching_for
from domain.comment import (
    BODY_MAX,
    MENTIONS_MAX,
    Comment,
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    mentioned,
)
from domain.errors import Invalid, NotFound
from domain.policy import Action
from domain.task import Task
from domain.text import check_text


@dataclass(frozen=True, slots=True)
class CommentCommand:
    """A command on one comment of a task."""

    task_id: str
    comment_id: str

    @property
    def stream_id(self) -> str:
        """The comment's own stream."""
        return self.comment_id


@dataclass(frozen=True, slots=True)
class PostComment(CommentCommand):
    """Say something about a task, to all who see it; `comment_id` is new."""

    body: str
    reply_to: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The posting, and that who is mentioned watches.

        Raises `Invalid` where it answers to no thread of the task, or mentions who does not see it.
        """
        body = _body(self.body)
        task = around(context, self.task_id, Action.COMMENT_POST)
        if self.reply_to is not None:
            _check_head(context, self.task_id, self.reply_to)
        mentions = _mentions(context, task, body)
        context.begin(self.comment_id)
        event = CommentPosted(task_id=self.task_id, body=body, reply_to=self.reply_to, mentions=mentions)
        return [Fact(self.comment_id, event), *_watching(context, task, mentions)]


@dataclass(frozen=True, slots=True)
class EditComment(CommentCommand):
    """Put one's own comment in other words."""

    body: str

    def decide(self, context: Context) -> Sequence[Fact]:
        """The edit, unless it says the same, and that who is mentioned now watches."""
        body = _body(self.body)
        task, comment = _comment(self, context, Action.COMMENT_EDIT)
        if body == comment.body:
            return []
        mentions = _mentions(context, task, body, known=comment.mentions)
        new = [user_id for user_id in mentions if user_id not in comment.mentions]
        event = CommentEdited(body=body, mentions=mentions)
        return [Fact(self.comment_id, event), *_watching(context, task, new)]


@dataclass(frozen=True, slots=True)
class DeleteComment(CommentCommand):
    """Take a comment away. What was answered to it stays."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The deletion."""
        _comment(self, context, Action.COMMENT_DELETE)
        return [Fact(self.comment_id, CommentDeleted())]


def comment_not_found() -> NotFound:
    """Unknown, deleted, or of another task: one answer."""
    return NotFound("comment.not_found", "no comment of this task has this id")


def _comment(command: CommentCommand, context: Context, action: Action) -> tuple[Task, Comment]:
    """The task and the comment on it, where the actor may do this to it. Raises `NotFound` for one that is deleted."""
    task = context.task(command.task_id, Action.TASK_READ)
    comment = context.read(command.comment_id, Comment)
    if comment is None or comment.task_id != command.task_id or comment.deleted_at:
        raise comment_not_found()
    around(context, command.task_id, action, comment.created_by)
    return task, comment


def _watching(context: Context, task: Task, mentions: Sequence[str]) -> list[Fact]:
    return watching_for(context, task, mentions) if mentions else []


def _body(body: str) -> str:
    check_text(body, "/body", least=1, most=BODY_MAX)
    if not body.strip():
        raise Invalid("value.blank", "/body", "must not be blank", body[:200])
    return body


def _check_head(context: Context, task_id: str, comment_id: str) -> None:
    """Threads are one level deep. That the head is not deleted meanwhile is an expectation."""
    head = context.read(comment_id, Comment)
    if head is None or head.task_id != task_id or head.deleted_at:
        raise Invalid("reply.not_found", "/reply_to", "must be the id of a comment of this task", comment_id)
    if head.reply_to is not None:
        detail = f"must be the comment that began the thread, {head.reply_to}"
        raise Invalid("reply.too_deep", "/reply_to", detail, comment_id)


def _mentions(context: Context, task: Task, body: str, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Whom the body mentions. Who is not `known` from before must see the task."""
    mentions = mentioned(body)
    if len(mentions) > MENTIONS_MAX:
        detail = f"must mention at most {MENTIONS_MAX} members, got {len(mentions)}"
        raise Invalid("value.length", "/body", detail, len(mentions))
    for user_id in mentions:
        if user_id not in known and not sees(context, user_id, task):
            detail = "must mention members who see this task alone"
            raise Invalid("mention.not_visible", "/body", detail, user_id)
    return mentions
