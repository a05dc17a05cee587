"""A comment on a task: its events, its state, and the fold. A stream of its own, so that it never moves the task's.

Who is mentioned stands in the body as `@{user id}`: names stay out of the log.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant

BODY_MAX: Final = 20_000
MENTIONS_MAX: Final = 50
ERASED_BODY: Final = "[erased]"

_MENTION: Final = re.compile(r"@\{([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}")


@stored("comment.posted")
class CommentPosted(Event, frozen=True, kw_only=True):
    """Somebody said something about a task; `reply_to` is the comment that began the thread."""

    task_id: str
    body: str
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()


@stored("comment.edited")
class CommentEdited(Event, frozen=True, kw_only=True):
    """Its author put it in other words."""

    body: str
    mentions: tuple[str, ...] = ()


@stored("comment.deleted")
class CommentDeleted(Event, frozen=True, kw_only=True):
    """It was taken back, or taken away."""


@stored("comment.restored")
class CommentRestored(Event, frozen=True, kw_only=True):
    """A deletion or an edit was taken back: it says again what it said before, and was edited when it was."""

    body: str
    mentions: tuple[str, ...] = ()
    edited_at: Instant | None = None


class Comment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a comment: the fold of its stream. What is deleted has no words any more.

    `task_id` is None where the posting was erased: then nobody finds it any more.
    """

    id: str
    version: int
    position: int
    task_id: str | None
    body: str | None
    mentions: tuple[str, ...]
    reply_to: str | None
    created_by: str
    created_at: Instant
    updated_at: Instant
    edited_at: Instant | None
    deleted_at: Instant | None
    deleted_by: str | None


def mentioned(body: str) -> tuple[str, ...]:
    """The ids of the users that a body mentions, in order, each once."""
    return tuple(dict.fromkeys(found.lower() for found in _MENTION.findall(body)))


def evolve(comment: Comment | None, recorded: Recorded) -> Comment:
    """The next state. Total over every logged event of a comment."""
    if comment is None:
        return _posted(recorded)
    return replace(
        comment,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](recorded),
    )


def _posted(recorded: Recorded) -> Comment:
    event = recorded.event
    posted = event if isinstance(event, CommentPosted) else None  # else the posting was erased
    return Comment(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        task_id=posted.task_id if posted else None,
        body=posted.body if posted else ERASED_BODY,
        mentions=posted.mentions if posted else (),
        reply_to=posted.reply_to if posted else None,
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        edited_at=None,
        deleted_at=None,
        deleted_by=None,
    )


Changes = dict[str, object]


def _edited(recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, CommentEdited)
    return {"body": event.body, "mentions": event.mentions, "edited_at": recorded.recorded_at}


def _deleted(recorded: Recorded) -> Changes:
    return {
        "body": None,
        "mentions": (),
        "deleted_at": recorded.recorded_at,
        "deleted_by": recorded.meta.actor,
    }


def _restored(recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, CommentRestored)
    words = {"body": event.body, "mentions": event.mentions, "edited_at": event.edited_at}
    return {**words, "deleted_at": None, "deleted_by": None}


def _erased(recorded: Recorded) -> Changes:
    """An erased event still says that it was one of its name; words that are gone change none."""
    assert isinstance(recorded.event, Erased)
    return _deleted(recorded) if recorded.event.name == "comment.deleted" else {}


_CHANGES: Final[dict[type[Event], Callable[[Recorded], Changes]]] = {
    CommentEdited: _edited,
    CommentDeleted: _deleted,
    CommentRestored: _restored,
    Erased: _erased,
}
