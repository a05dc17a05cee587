"""The state machine of a task, as data. Nothing else may change a status."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.errors import Conflict


class Category(StrEnum):
    """What a status means, in every workflow."""

    OPEN = "open"
    ACTIVE = "active"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        """Whether nothing is left to do."""
        return self is Category.DONE or self is Category.CANCELLED


@dataclass(frozen=True, slots=True)
class Workflow:
    """Statuses with their categories, and the named moves between them: (status, move) -> next status."""

    initial: str
    categories: Mapping[str, Category]
    moves: Mapping[tuple[str, str], str]

    def allowed(self, status: str) -> list[str]:
        """The moves that leave a status, sorted."""
        return sorted(move for at, move in self.moves if at == status)

    def next(self, status: str, move: str) -> str:
        """The status a move leads to. Raises `Conflict` `task.illegal_move` with the moves that are allowed."""
        to = self.moves.get((status, move))
        if to is None:
            allowed = self.allowed(status)
            raise Conflict(
                "task.illegal_move",
                f"a task that is {status!r} cannot {move!r}; allowed: {', '.join(allowed) or 'nothing'}",
                current_status=status,
                move=move,
                allowed=allowed,
            )
        return to


STANDARD: Final = Workflow(
    initial="todo",
    categories={
        "todo": Category.OPEN,
        "in_progress": Category.ACTIVE,
        "done": Category.DONE,
        "cancelled": Category.CANCELLED,
    },
    moves={
        ("todo", "start"): "in_progress",
        ("todo", "complete"): "done",
        ("todo", "cancel"): "cancelled",
        ("in_progress", "pause"): "todo",
        ("in_progress", "complete"): "done",
        ("in_progress", "cancel"): "cancelled",
        ("done", "reopen"): "todo",
        ("cancelled", "reopen"): "todo",
    },
)
