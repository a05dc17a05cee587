"""The bodies about notifications, and who reads them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.documents import WHOLE, Body
from api.services import Services
from api.tokens import Identity
from commands.execute import Call
from commands.undo import Undo
from domain.inbox import Inbox, InboxReadThrough, inbox_of
from domain.notification import Reason
from domain.policy import eyes
from domain.user import User
from projections.notifications import COUNTED, NAME, Reader, unread

AT_ONCE = 200
_POSITION_MAX = 2**53 - 1  # which every reader of JSON takes for the same number (RFC 8259 §6)

Position = Annotated[int, Field(ge=1, le=_POSITION_MAX), WHOLE]
Positions = Annotated[tuple[Position, ...], Field(min_length=1, max_length=AT_ONCE)]


class NotificationTask(BaseModel):
    """What a task is called today."""

    title: str
    key: str | None


class Notification(BaseModel):
    """That somebody is told of an event. It is known by its `position`: nobody is told twice of what happened there."""

    position: int
    reason: Reason
    event: Annotated[str, Field(description="What happened: the name of the event in the history.")]
    task_id: UUID
    comment_id: UUID | None
    actor: UUID
    at: datetime


class NotificationDocument(Notification):
    """A notification as its user finds it. `task` is null as long as the list of tasks does not know it yet."""

    task: NotificationTask | None
    read: bool


class NotificationPage(BaseModel):
    """A page of notifications, newest first; `next_cursor` is null on the last one."""

    items: list[NotificationDocument]
    next_cursor: str | None
    unread: Annotated[int, Field(description=f"How many are unread in all; {COUNTED} also means more.")]


class ReadBody(Body):
    """Which ones: some by their positions, or all up to one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"through": 42}, {"positions": [41, 42]}],
            "oneOf": [{"required": ["positions"]}, {"required": ["through"]}],
        }
    )

    positions: Positions = ()
    through: Position = 1

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReadBody":
        if len(self.model_fields_set) != 1:
            raise ValueError("say either positions or through")
        return self


class UnreadBody(Body):
    """Which ones, by their positions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"positions": [42]}]})

    positions: Positions


class InboxDocument(BaseModel):
    """How far all is read. `position` is that of the last mark."""

    version: int
    position: int
    through: int


async def reader_of(services: Services, identity: Identity, user: User) -> Reader:
    """Who reads: as they see tasks now, with what they prefer now, and what they have read by now."""
    workspace_id = identity.workspace_id
    profile = await services.accounts.profile(workspace_id, user.id)
    inbox = await services.streams.current(workspace_id, inbox_of(user.id), 0)
    return Reader(user.id, eyes(user), wanted(profile["preferences"]), inbox if isinstance(inbox, Inbox) else None)


def wanted(preferences: dict[str, Any]) -> frozenset[str]:
    """For which reasons somebody wants to be told: for all but those that they switched off."""
    chosen = preferences.get("notifications", {})
    return frozenset(reason.value for reason in Reason if chosen.get(reason.value, True))


async def look_back(services: Services, call: Call, command: Undo) -> None:
    """See which notifications of one's own were unread before all were marked as read.

    Raises `Unavailable` `projection.behind`.
    """
    own = inbox_of(call.actor_id)
    for step in command.wrote.steps:
        if isinstance(step.event, InboxReadThrough) and step.stream_id == own:
            through = step.event.position
            await services.positions.reach(call.workspace_id, NAME, through)
            async with services.pool.connection() as connection:
                found = await unread(connection, call.workspace_id, call.actor_id, step.before, through)
            command.wrote.unread[step.recorded.position] = tuple(found)
