"""Whose the key of projects `APP` is. One stream a key, so that two projects never get the same one."""

import msgspec
from msgspec.structs import replace

from domain.events import Event, Recorded, stored


@stored("project_key.taken")
class ProjectKeyTaken(Event, frozen=True, kw_only=True):
    """A project has this key for ever, also when it is deleted: the keys of its tasks stand in mails and chats."""

    project_id: str


class ProjectKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a key: whose it is."""

    id: str
    version: int
    position: int
    project_id: str


def evolve(key: ProjectKey | None, recorded: Recorded) -> ProjectKey:
    """The next state."""
    event = recorded.event
    if key is None:
        project_id = event.project_id if isinstance(event, ProjectKeyTaken) else ""
        return ProjectKey(
            id=recorded.stream_id, version=recorded.version, position=recorded.position, project_id=project_id
        )
    return replace(key, version=recorded.version, position=recorded.position)
