"""What says to which tasks a bulk edit is to be done: pairs `name:value` of the filters of lists, and words.

The one place that reads the text of `q`.
"""

import re
from typing import Any, Final

from pydantic import ValidationError

from api.finding import Filters, values_of
from api.tagging import filters as tag_filters
from domain.errors import Invalid
from domain.tagbook import Tagbook

_PART: Final = re.compile(r'([a-z_]+):("[^"]*"|\S+)|("[^"]*"|\S+)')
NAMES: Final = tuple(
    name for name in Filters.model_fields if name not in ("limit", "cursor", "min_position", "as_of", "trashed")
)
_MANY: Final = ("status", "category", "priority", "tag")


def chosen(q: str, me: str, book: Tagbook | None) -> dict[str, Any]:
    """The filters of a list, by their names in the read side's table. Raises `Invalid` `bulk.query` with the column."""
    given: dict[str, Any] = {}
    words: list[str] = []
    at: dict[str, int] = {}
    for match in _PART.finditer(q):
        name, value, word = match.groups()
        if name is None:
            words.append(word)
            continue
        _check_name(name, name in given and name not in _MANY, match.start() + 1, q)
        at[name], plain = match.start() + 1, value.strip('"')
        given[name] = [*given.get(name, []), plain] if name in _MANY else plain
    try:
        filters = Filters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise _wrong(f"column {at[name]}: {name}: {first['msg']}", q) from error
    values = values_of(filters, " ".join(words) or None, me)
    if not values:
        raise _wrong("must say something: a filter, or words", q)
    if "tag" in values:
        values |= tag_filters(book, values.pop("tag"))
    return values


def _check_name(name: str, twice: bool, column: int, q: str) -> None:
    if name not in NAMES:
        raise _wrong(f"column {column}: {name!r} is no filter; there are {', '.join(NAMES)}", q)
    if twice:
        raise _wrong(f"column {column}: {name!r} can be said once", q)


def _wrong(detail: str, q: str) -> Invalid:
    return Invalid("bulk.query", "/q", detail, q[:200])
