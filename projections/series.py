"""A series has no rows: it is one stream, folded on reading, as the lists of a task are. How its history reads."""

from typing import Any, Final

from domain.series import Series, evolve
from projections.table import Table

NAME: Final = "series"


async def _none(*_: Any) -> Any:
    raise NotImplementedError("a series has no rows")


def weigh(series: Series) -> int:
    """About how many bytes of text a series has that may be long."""
    return 500 + series.pattern.size


SERIES: Final = Table(NAME, "series", evolve, _none, _none, weigh, columns=(), wakes=frozenset())
