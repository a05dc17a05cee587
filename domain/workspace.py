"""The workspace's own stream: what holds for the set of its members, so that rules over the set can be guarded.

Every change of the set of admins appends here (a rule over a set names one stream), so "the last admin
stays" holds however many demotions run at once. The stream's id is the workspace's id.
"""

import msgspec
from msgspec.structs import replace

from domain.events import Event, Recorded, stored


@stored("workspace.founded")
class WorkspaceFounded(Event, frozen=True, kw_only=True):
    """The workspace came to be, with its first admin."""

    admin_id: str


@stored("workspace.admin_added")
class AdminAdded(Event, frozen=True, kw_only=True):
    """A user became an admin."""

    user_id: str


@stored("workspace.admin_removed")
class AdminRemoved(Event, frozen=True, kw_only=True):
    """A user ceased to be an admin."""

    user_id: str


class Workspace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a workspace: who its admins are."""

    id: str
    version: int
    position: int
    admins: frozenset[str]


def evolve(workspace: Workspace | None, recorded: Recorded) -> Workspace:
    """The next state. Total over every logged event of a workspace."""
    before = workspace or Workspace(id=recorded.stream_id, version=0, position=0, admins=frozenset())
    return replace(
        before,
        version=recorded.version,
        position=recorded.position,
        admins=_admins(before.admins, recorded.event),
    )


def _admins(admins: frozenset[str], event: Event) -> frozenset[str]:
    match event:
        case WorkspaceFounded(admin_id=user_id) | AdminAdded(user_id=user_id):
            return admins | {user_id}
        case AdminRemoved(user_id=user_id):
            return admins - {user_id}
        case _:  # erased
            return admins
