"""What fields of a task hold that have a shape of their own, and what says whose a task is."""

from enum import StrEnum
from typing import Final, Literal, Protocol

import msgspec
from msgspec import UnsetType

from domain.errors import Invalid
from domain.instant import Instant

ESTIMATE_MAX: Final = 600_000  # minutes: a year and more


class Priority(StrEnum):
    """How urgent a task is, least first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Assignee(msgspec.Struct, frozen=True, gc=False):
    """Whom a task is given to."""

    type: Literal["user", "team"]
    id: str


class FromTemplate(msgspec.Struct, frozen=True, gc=False):
    """The version of a template of which a task was made."""

    id: str
    version: int


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a task that was imported was where it came from: its id there, and when it came to be and was done there."""

    id: str | None = None
    created_at: Instant | None = None
    completed_at: Instant | None = None


def check_estimate(minutes: int | UnsetType | None) -> None:
    """How long a task should take. Raises `Invalid` `value.range`."""
    if isinstance(minutes, int) and not 1 <= minutes <= ESTIMATE_MAX:
        raise Invalid("value.range", "/estimate_minutes", f"must be 1 to {ESTIMATE_MAX} minutes", str(minutes)[:200])


class Owned(Protocol):
    """What says whose a task is."""

    @property
    def created_by(self) -> str:
        """Who wrote it down."""

    @property
    def assignee(self) -> Assignee | None:
        """Whom it is given to."""

    @property
    def project_id(self) -> str | None:
        """The project that it is in."""
