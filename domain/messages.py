"""What travels on Redis. Hints and copies only: the log and the tables are the truth, and any message may be lost."""

from typing import Final

import msgspec

from domain.policy import Eyes
from domain.user import Role

APPENDED_CHANNEL: Final = "taskfold:appended"
PROJECTED_CHANNEL: Final = "taskfold:projected"
CHANGES_CHANNEL: Final = "taskfold:changes:"  # followed by the workspace
TOLD_CHANNEL: Final = "taskfold:told:"  # the same, of notifications


class Appended(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The log of a workspace has grown up to `position`, by events of these kinds (`task`, `user` …)."""

    workspace_id: str
    position: int
    kinds: frozenset[str]


class TaskChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A task as it is at a position, and whose it was before and is now.

    `task` is the JSON document that clients get, encoded once. An audience is None where there is no task to see:
    before its creation, and in the trash. What is told to one user travels in the same way: then `task_id` names what
    may replace what, `task` is the whole frame, and the audience is as whom the sockets of that user listen.
    """

    position: int
    task_id: str
    task: msgspec.Raw
    before: frozenset[str] | None
    after: frozenset[str] | None


class AccessChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From this position on a user sees other tasks. Of the rest, one has a value: what the event said."""

    position: int
    user_id: str
    role: Role | None = None
    joined: str | None = None  # a team, or a project
    left: str | None = None  # a team, or a project
    active: bool | None = None

    def after(self, eyes: Eyes) -> Eyes:
        """How the user looks at tasks from then on."""
        ids = eyes.ids
        if self.joined is not None:
            ids |= {self.joined}
        if self.left is not None:
            ids -= {self.left}
        return Eyes(eyes.role if self.role is None else self.role, ids)


class Projected(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a projection has taken in and committed: what happened in (`after`, `to`].

    It goes out twice: to those who have sockets of the workspace, with the changes; and to all, with None for `tasks`,
    which also is all that goes out after a catch-up: too much to send, who needs it reads the log.
    """

    workspace_id: str
    projection: str
    after: int
    to: int
    tasks: list[TaskChange] | None
    accesses: list[AccessChange]


def channel_of(projected: Projected) -> str:
    """Where those listen who have sockets for it."""
    channel = TOLD_CHANNEL if projected.projection == "notifications" else CHANGES_CHANNEL
    return f"{channel}{projected.workspace_id}"


encode: Final = msgspec.json.Encoder().encode
decode_appended: Final = msgspec.json.Decoder(Appended).decode
decode_projected: Final = msgspec.json.Decoder(Projected).decode
