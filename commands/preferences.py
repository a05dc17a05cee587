"""Preferences: any JSON that can be stored, within a size."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

import orjson

from domain.errors import Invalid

PREFERENCES_MAX: Final = 10_000


def check_preferences(preferences: Mapping[str, Any]) -> None:
    """Raises `Invalid` for what cannot be kept."""
    try:
        size = len(orjson.dumps(preferences))
    except TypeError as error:  # a number that 64 bits do not hold
        raise Invalid("preferences.value", "/preferences", f"must be storable as JSON: {error}") from error
    if size > PREFERENCES_MAX:
        detail = f"must be at most {PREFERENCES_MAX} bytes of JSON, got {size}"
        raise Invalid("value.length", "/preferences", detail)
    for value in _values(preferences):
        if isinstance(value, str) and "\x00" in value:  # PostgreSQL has no such text
            raise Invalid("value.character", "/preferences", "must not contain U+0000")
        if isinstance(value, float) and not isfinite(value):
            raise Invalid("preferences.value", "/preferences", f"must be storable as JSON: {value} is no number of it")


def _values(value: object) -> Iterator[object]:
    """Every key and every value inside a JSON value."""
    if isinstance(value, dict):
        yield from value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inside is None:
        yield value
    for item in inside or ():
        yield from _values(item)
