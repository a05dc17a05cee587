"""How many tasks of a project have a status. One stream a status and project, which all arrivals and departures go to.

It is what a limit of work in progress looks at, and what a change of the workflow expects to stay as it is.
"""

import msgspec

from domain.events import Event, Recorded, name_of, stored


@stored("board.task_arrived")
class BoardTaskArrived(Event, frozen=True, kw_only=True):
    """A task of the project has this status now."""

    task_id: str


@stored("board.task_left")
class BoardTaskLeft(Event, frozen=True, kw_only=True):
    """A task has this status, or is in this project, no longer."""

    task_id: str


class Board(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: how many tasks there are."""

    id: str
    version: int
    position: int
    count: int


def evolve(board: Board | None, recorded: Recorded) -> Board:
    """The next state. The name says all that counts, so an event that was erased counts as well."""
    before = 0 if board is None else board.count
    change = 1 if name_of(recorded.event) == "board.task_arrived" else -1
    return Board(id=recorded.stream_id, version=recorded.version, position=recorded.position, count=before + change)
