"""The numbers of a project's tasks. One stream a project: a number is the version of the event that gave it.

So the log's own rule that versions are dense and unique is what makes keys dense and unique.
"""

from collections.abc import Sequence

import msgspec

from domain.events import Event, Recorded, stored


@stored("numbering.given")
class NumberGiven(Event, frozen=True, kw_only=True):
    """A task that came into the project got the next number."""

    task_id: str


class Numbering(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: `version` is the last number that was given."""

    id: str
    version: int
    position: int


def evolve(_: Numbering | None, recorded: Recorded) -> Numbering:
    """The next state."""
    return Numbering(id=recorded.stream_id, version=recorded.version, position=recorded.position)


def evolve_all(_: Numbering | None, events: Sequence[Recorded]) -> Numbering:
    """The state after many, at least one: that of the last."""
    return evolve(None, events[-1])
