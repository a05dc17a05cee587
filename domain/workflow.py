"""The state machine of a task, as data. Nothing else may change a status.

The standard workflow and those of projects are tables of one type; `domain/custom_workflow.py` says how the latter come
and change, `domain/workflow_check.py` what makes a table a good one.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import Final

import msgspec

from domain.errors import Conflict

NOTHING: Final[Mapping[str, str]] = {}


class Category(StrEnum):
    """What a status means, in every workflow."""

    OPEN = "open"
    ACTIVE = "active"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        """Whether nothing is left to be done. Moves alone close and reopen: no change of a workflow does."""
        return self in _CLOSED


_CLOSED: Final = frozenset({Category.DONE, Category.CANCELLED})


class Mover(StrEnum):
    """Who may make a move, of those who may move the task at all: see `domain.policy.may_make`."""

    EDITOR = "editor"
    LEAD = "lead"
    ASSIGNEE = "assignee"
    CREATOR = "creator"


class Required(StrEnum):
    """What must be set for a move: fields of the task, or the reason of the move itself."""

    ASSIGNEE = "assignee"
    DUE_AT = "due_at"
    ESTIMATE = "estimate_minutes"
    DESCRIPTION = "description"
    TAGS = "tags"
    REASON = "reason"


class Status(msgspec.Struct, frozen=True, gc=False):
    """A status. At most `limit` tasks of a project come to have it; more may, where the limit came later."""

    name: str
    category: Category
    limit: int | None = None


class Move(msgspec.Struct, frozen=True):
    """A named move. Without `who`, whoever may move the task may make it."""

    name: str
    from_: tuple[str, ...] = msgspec.field(name="from")
    to: str
    who: tuple[Mover, ...] = ()
    requires: tuple[Required, ...] = ()


class Workflow(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Statuses, the one that new tasks get, and the named moves between them. A name of a move leads to one status."""

    statuses: tuple[Status, ...]
    initial: str
    moves: tuple[Move, ...]

    @cached_property
    def categories(self) -> Mapping[str, Category]:
        """What each status means."""
        return {status.name: status.category for status in self.statuses}

    @cached_property
    def limits(self) -> Mapping[str, int]:
        """The limits of the statuses that have one."""
        return {status.name: status.limit for status in self.statuses if status.limit is not None}

    @cached_property
    def table(self) -> Mapping[tuple[str, str], Move]:
        """The moves by status and name."""
        return {(status, move.name): move for move in self.moves for status in move.from_}

    def allowed(self, status: str) -> list[str]:
        """The moves that leave a status, sorted."""
        return sorted(move for at, move in self.table if at == status)

    def move(self, status: str, name: str) -> Move:
        """The move of this name. Raises `Conflict` `task.illegal_move` with those that are allowed."""
        move = self.table.get((status, name))
        if move is None:
            allowed = self.allowed(status)
            raise Conflict(
                "task.illegal_move",
                f"a task that is {status!r} cannot {name!r}; allowed: {', '.join(allowed) or 'nothing'}",
                current_status=status,
                move=name,
                allowed=allowed,
            )
        return move

    def next(self, status: str, name: str) -> str:
        """The status that a move leads to. Raises as `move` does."""
        return self.move(status, name).to

    def keeps(self, status: str, category: Category) -> bool:
        """Whether a task of another workflow can keep its status: there is one of the name, as open or closed."""
        known = self.categories.get(status)
        return known is not None and known.closed is category.closed

    def home(self, status: str, category: Category, mapped: Mapping[str, str] = NOTHING) -> str:
        """The status here of a task that comes from elsewhere, or back from the trash.

        Its own one where it can keep that, else what `mapped` leads to, else the first of its category, else the first
        that is as open or closed. Every good workflow has an open status and a closed one.
        """
        seen: set[str] = set()
        while not self.keeps(status, category) and status in mapped and status not in seen:
            seen.add(status)
            status = mapped[status]
        if self.keeps(status, category):
            return status
        alike = (known for known in self.statuses if known.category is category)
        near = (known for known in self.statuses if known.category.closed is category.closed)
        return next(chain(alike, near, self.statuses)).name


STANDARD: Final = Workflow(
    statuses=(
        Status("todo", Category.OPEN),
        Status("in_progress", Category.ACTIVE),
        Status("done", Category.DONE),
        Status("cancelled", Category.CANCELLED),
    ),
    initial="todo",
    moves=(
        Move("start", ("todo",), "in_progress"),
        Move("pause", ("in_progress",), "todo"),
        Move("complete", ("todo", "in_progress"), "done"),
        Move("cancel", ("todo", "in_progress"), "cancelled"),
        Move("reopen", ("done", "cancelled"), "todo"),
    ),
)
