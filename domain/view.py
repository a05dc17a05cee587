"""A saved view: a query under a name, for its owner alone or shared; its events, its state, and the fold."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant

NAME_MAX: Final = 100
ERASED_NAME: Final = "[erased]"


class Sharing(StrEnum):
    """Who has a view: its owner alone, a team, or the whole workspace. What it shows is for each what they may see."""

    PRIVATE = "private"
    TEAM = "team"
    WORKSPACE = "workspace"


@stored("view.created")
class ViewCreated(Event, frozen=True, kw_only=True):
    """Somebody kept a query. The owner is the actor of the envelope; `team_id` is of what is shared with a team."""

    name: str
    query: str
    sharing: Sharing = Sharing.PRIVATE
    team_id: str | None = None


@stored("view.edited")
class ViewEdited(Event, frozen=True, kw_only=True):
    """Some fields got new values; a field that is absent kept its value."""

    name: str | UnsetType = UNSET
    query: str | UnsetType = UNSET


@stored("view.shared")
class ViewShared(Event, frozen=True, kw_only=True):
    """It is for these from now on, also for its owner alone."""

    sharing: Sharing
    team_id: str | None = None


@stored("view.deleted")
class ViewDeleted(Event, frozen=True, kw_only=True):
    """The view ceased to be."""


@stored("view.revived")
class ViewRevived(Event, frozen=True, kw_only=True):
    """The deletion was taken back: it is there again, as it was."""


class View(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a view: the fold of its stream. `query` is as it was written; `created_by` is its owner."""

    id: str
    version: int
    position: int
    name: str
    query: str
    sharing: Sharing
    team_id: str | None
    created_by: str
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None


def evolve(view: View | None, recorded: Recorded) -> View:
    """The next state. Total over every logged event of a view."""
    if view is None:
        return _created(recorded)
    return replace(
        view,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](recorded),
    )


def _created(recorded: Recorded) -> View:
    event = recorded.event
    if not isinstance(event, ViewCreated):  # the creation was erased: nobody but its owner is shown what is left
        event = ViewCreated(name=ERASED_NAME, query="")
    return View(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        name=event.name,
        query=event.query,
        sharing=event.sharing,
        team_id=event.team_id,
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        deleted_at=None,
    )


Changes = dict[str, object]


def _edited(recorded: Recorded) -> Changes:
    return {field: value for field in EDITABLE if (value := getattr(recorded.event, field)) is not UNSET}


def _shared(recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, ViewShared)
    return {"sharing": recorded.event.sharing, "team_id": recorded.event.team_id}


def _deleted(recorded: Recorded) -> Changes:
    return {"deleted_at": recorded.recorded_at}


def _revived(_: Recorded) -> Changes:
    return {"deleted_at": None}


# What is left of these once their data were erased: all, as they have none.
_PLAIN: Final[dict[str, Callable[[Recorded], Changes]]] = {"view.deleted": _deleted, "view.revived": _revived}


def _erased(recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, Erased)
    plain = _PLAIN.get(recorded.event.name)
    return {} if plain is None else plain(recorded)


_CHANGES: Final[dict[type[Event], Callable[[Recorded], Changes]]] = {
    ViewEdited: _edited,
    ViewShared: _shared,
    ViewDeleted: _deleted,
    ViewRevived: _revived,
    Erased: _erased,
}
EDITABLE: Final = tuple(ViewEdited.__struct_fields__)
