"""Rules for text that people write, and for its lists. The same limits stand in `schema.sql` and in OpenAPI."""

import re
from collections.abc import Iterable
from typing import Final

from domain.errors import Invalid

TITLE_MAX: Final = 500
DESCRIPTION_MAX: Final = 100_000
REASON_MAX: Final = 2_000
TAGS_MAX: Final = 50
TAG_MAX: Final = 50

# NUL cannot be stored by PostgreSQL; a lone surrogate is no character (Unicode 3.9, D73) and has no UTF-8 form.
_NOT_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_NOT_ONE_LINE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def check_text(value: str, field: str, *, least: int = 0, most: int) -> str:
    """Text of any lines, between `least` and `most` characters."""
    return _check(value, field, least, most, _NOT_TEXT)


def check_line(value: str, field: str, *, least: int = 1, most: int) -> str:
    """One line of text: no control characters, and not only white space."""
    checked = _check(value, field, least, most, _NOT_ONE_LINE)
    if least and not value.strip():
        raise Invalid("value.blank", field, f"must not be blank, got {value!r}", value)
    return checked


def check_reason(value: str | None) -> str | None:
    """Why somebody did it, if they say so."""
    return None if value is None else check_text(value, "/reason", most=REASON_MAX)


def _check(value: str, field: str, least: int, most: int, forbidden: re.Pattern[str]) -> str:
    if not least <= len(value) <= most:
        detail = f"must be {least} to {most} characters, got {len(value)}"
        raise Invalid("value.length", field, detail, value if len(value) <= 200 else value[:200] + "…")
    found = forbidden.search(value)
    if found:
        detail = f"must not contain U+{ord(found[0]):04X}, found at character {found.start()}"
        raise Invalid("value.character", field, detail, repr(value[:200]))
    return value


def check_tags(values: Iterable[str], field: str) -> tuple[str, ...]:
    """At most 50 different tags of at most 50 characters, in the order given, without repeats."""
    tags = dict.fromkeys(check_line(tag, f"{field}/{index}", most=TAG_MAX) for index, tag in enumerate(values))
    if len(tags) > TAGS_MAX:
        raise Invalid("value.length", field, f"must be at most {TAGS_MAX} tags, got {len(tags)}", len(tags))
    return tuple(tags)
