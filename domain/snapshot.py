"""Streams that grow without bound are kept folded beside the log. Which ones, and how their states are written down.

The names are those of ways to fold and to write: whoever changes either, also the order of buckets, chooses another
name, and what was kept before counts for nothing. No state here holds what somebody may ask to have forgotten: ids and
positions alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from domain.board import Board
from domain.inbox import Inbox
from domain.numbering import Numbering

Kept = Board | Numbering | Inbox


class Form(NamedTuple):
    """How the states of a kind are kept. `size` is how many things a state names, which is what writing it costs."""

    fold: str
    decode: Callable[[str], Kept]
    size: Callable[[Any], int]


FORMS: Final[Mapping[type[Kept], Form]] = {
    Board: Form("board/1", msgspec.json.Decoder(Board).decode, lambda board: sum(map(len, board.buckets))),
    Numbering: Form("numbering/1", msgspec.json.Decoder(Numbering).decode, lambda _: 0),
    Inbox: Form("inbox/1", msgspec.json.Decoder(Inbox).decode, lambda inbox: len(inbox.read) + len(inbox.unread)),
}
FOLDS: Final = tuple(form.fold for form in FORMS.values())

_BY_FOLD: Final = {form.fold: form for form in FORMS.values()}
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def encode(state: Kept) -> str:
    """A state as text, the same for equal states."""
    return _ENCODER.encode(state).decode()


def decode(fold: str, text: str) -> Kept:
    """The state that was kept. Raises `msgspec.DecodeError` where it has not the shape of that fold."""
    return _BY_FOLD[fold].decode(text)
