"""Cursors: the place after a row of a list, as opaque text that belongs to the list's sort and to what it shows."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from domain.errors import Invalid

Position = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class AsOf(NamedTuple):
    """A moment of the past: as the reader asked for it, and the position that this is."""

    asked: str
    position: Position


class Cursor(NamedTuple):
    """The sort, its values in the last row of the page before, and the moment that the list shows; None is now."""

    sort: list[str]
    values: list[str]
    as_of: AsOf | None = None


def encode(cursor: Cursor) -> str:
    """A cursor, as clients get it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode(text: str) -> Cursor:
    """The cursor that a client sends back. Raises `Invalid` `cursor.invalid` for what is none."""
    try:
        padded = text + "=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Cursor)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise invalid(text) from error
    if "\x00" in "".join(cursor.values):
        raise invalid(text)
    return cursor


def values_of(text: str, sort: Sequence[str], count: int, as_of: AsOf | None) -> list[str]:
    """The values of a cursor of this list. Raises `Invalid` `cursor.invalid` for one of another sort or moment."""
    cursor = decode(text)
    if cursor.sort != list(sort) or len(cursor.values) != count:
        raise invalid(text, f"belongs to the sort {','.join(cursor.sort)!r}, not to {','.join(sort)!r}")
    if cursor.as_of != as_of:
        raise invalid(text, "belongs to another as_of")
    return cursor.values


def position_of(text: str, asked: str) -> int:
    """The position that the first page showed to who asked for this moment.

    Later pages show it too, so all pages of a list are of one moment. Raises `Invalid` `cursor.invalid` where the
    cursor is of another one.
    """
    as_of = decode(text).as_of
    if as_of is None or as_of.asked != asked:
        raise invalid(text, "belongs to another as_of")
    return as_of.position


def invalid(text: str, detail: str = "must be a next_cursor of an earlier page") -> Invalid:
    """The refusal of a cursor."""
    return Invalid("cursor.invalid", "/query/cursor", detail, text[:200])
