"""That tasks were made of a template: one stream each time, so that whoever asks again learns which tasks they are."""

import msgspec

from domain.events import Event, Recorded, stored
from domain.instant import Instant


@stored("instantiation.completed")
class InstantiationCompleted(Event, frozen=True, kw_only=True):
    """A version of a template became tasks: `tasks` maps what they are called there to their ids, in their order."""

    template_id: str
    template_version: int
    tasks: dict[str, str]
    roots: tuple[str, ...]


class Instantiation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: what was made, by whom and when. `roots` are those of the tasks that are below none of the others."""

    id: str
    version: int
    position: int
    template_id: str
    template_version: int
    tasks: dict[str, str]
    roots: tuple[str, ...]
    created_by: str
    created_at: Instant


def evolve(_: Instantiation | None, recorded: Recorded) -> Instantiation:
    """The state after the only event of the stream; what was erased names nothing."""
    event = recorded.event
    if not isinstance(event, InstantiationCompleted):
        event = InstantiationCompleted(template_id="", template_version=0, tasks={}, roots=())
    return Instantiation(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        template_id=event.template_id,
        template_version=event.template_version,
        tasks=event.tasks,
        roots=event.roots,
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
    )
