"""Text with places for values: `{{name}}`. Names alone, no expressions; a value is put in as it is and not read again.

A backslash before a place makes it plain text: `\\{{name}}` stands for `{{name}}`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

NAME_MAX: Final = 50
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")

_PLACE: Final = re.compile(r"(\\?)\{\{([^{}\r\n]{0,100})\}\}")


class Place(NamedTuple):
    """A place in a text: the name in it, and the character at which it begins, from 0."""

    name: str
    at: int


class TooLong(Exception):  # noqa: N818  (an answer, as a rejection is)
    """What the text would be is longer than it may be."""


def places(text: str) -> Iterator[Place]:
    """Every place of a text, without those that are plain text."""
    for found in _PLACE.finditer(text):
        if not found[1]:
            yield Place(found[2].strip(" "), found.start())


def filled(text: str, values: Mapping[str, str], most: int) -> str:
    """The text with the values in their places. Raises `TooLong` past `most` characters, `KeyError` without a value.

    It stops as soon as it is too long: a short text with long values is not made to be thrown away.
    """
    parts: list[str] = []
    size = end = 0
    for found in _PLACE.finditer(text):
        value = found[0][1:] if found[1] else values[found[2].strip(" ")]
        parts += (text[end : found.start()], value)
        size += found.start() - end + len(value)
        end = found.end()
        if size > most:
            raise TooLong
    if size + len(text) - end > most:
        raise TooLong
    return "".join((*parts, text[end:]))


def plain(text: str) -> str:
    """A text that stands for this one, whatever is in it: `filled(plain(text), {}, …) == text`."""
    return _PLACE.sub(lambda found: f"\\{found[0]}", text)
