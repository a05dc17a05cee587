"""Instants as text: RFC 3339 in UTC with exactly six digits of a second, so that text order is time order."""

from datetime import UTC, datetime
from typing import Final

Instant = str

EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def instant(moment: datetime) -> Instant:
    """The text of an aware `datetime`: `2026-11-21T09:30:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
