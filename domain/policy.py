"""Who may do and see what: one table, used by the write side, the read side and the sockets."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final

from domain.task import Task
from domain.user import Role


class Action(StrEnum):
    """What can be allowed or not."""

    TASK_CREATE = "task.create"
    TASK_READ = "task.read"
    TASK_CHANGE = "task.change"
    USER_READ = "user.read"
    USER_CHANGE_ROLE = "user.change_role"


class Reach(IntEnum):
    """How far an action of a role goes."""

    NONE = 0
    OWN = 1  # tasks the user created or is assigned
    ALL = 2


_TABLE: Final[Mapping[Action, Mapping[Role, Reach]]] = {
    action: dict(zip((Role.ADMIN, Role.MANAGER, Role.MEMBER, Role.AUDITOR), reaches, strict=True))
    for action, reaches in {
        #                         admin      manager     member      auditor
        Action.TASK_CREATE:      (Reach.ALL, Reach.ALL,  Reach.ALL,  Reach.NONE),
        Action.TASK_READ:        (Reach.ALL, Reach.ALL,  Reach.OWN,  Reach.ALL),
        Action.TASK_CHANGE:      (Reach.ALL, Reach.ALL,  Reach.OWN,  Reach.NONE),
        Action.USER_READ:        (Reach.ALL, Reach.ALL,  Reach.ALL,  Reach.ALL),
        Action.USER_CHANGE_ROLE: (Reach.ALL, Reach.NONE, Reach.NONE, Reach.NONE),
    }.items()
}  # fmt: skip


def reach(role: Role, action: Action) -> Reach:
    """How far `action` goes for `role`."""
    return _TABLE[action][role]


def audience(task: Task) -> frozenset[str]:
    """The users to whom the task is their own: its creator and its assignee."""
    if task.assignee is None:
        return frozenset((task.created_by,))
    return frozenset((task.created_by, task.assignee.id))


def may(role: Role, user_id: str, action: Action, owners: frozenset[str]) -> bool:
    """Whether a user of that role may do it to a thing that is its owners' own."""
    allowed = reach(role, action)
    return allowed is Reach.ALL or (allowed is Reach.OWN and user_id in owners)
