"""What travels on Redis. Hints and copies only: the log and the tables are the truth, and any message may be lost."""

from typing import Final

import msgspec

from domain.user import Role

APPENDED_CHANNEL: Final = "taskfold:appended"
PROJECTED_CHANNEL: Final = "taskfold:projected"


class Appended(msgspec.Struct, frozen=True, array_like=True):
    """The log of a workspace has grown up to `position`."""

    workspace_id: str
    position: int


class TaskChange(msgspec.Struct, frozen=True, array_like=True):
    """A task as it is at a position, and whose it was before and is now.

    `task` is the JSON document that clients get, encoded once; `None` when the task is in the trash.
    """

    position: int
    task_id: str
    task: msgspec.Raw | None
    before: frozenset[str]
    after: frozenset[str]
    was_visible: bool


class RoleChange(msgspec.Struct, frozen=True, array_like=True):
    """A user has another role from this position on."""

    position: int
    user_id: str
    role: Role


class Projected(msgspec.Struct, frozen=True, array_like=True):
    """What happened in (`after`, `to`]. `changes` is None in a catch-up: who needs them reads them from the log."""

    workspace_id: str
    after: int
    to: int
    tasks: list[TaskChange] | None
    roles: list[RoleChange]


encode: Final = msgspec.json.Encoder().encode
decode_appended: Final = msgspec.json.Decoder(Appended).decode
decode_projected: Final = msgspec.json.Decoder(Projected).decode
