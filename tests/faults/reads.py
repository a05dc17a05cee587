"""What clients read: lists, each with the position that it asked for and the one that it shows."""

from typing import NamedTuple

import msgspec

from bench.wire import Answered
from tests.faults.ledger import Texts


class Read(NamedTuple):
    """A list that somebody read: when on the run's clock, from which position on, what it says it shows, and what."""

    started: int
    ended: int
    asked: int
    position: int
    items: tuple[bytes, ...]


class Page(msgspec.Struct):
    """A page of a list, its items unread."""

    items: list[msgspec.Raw]


_page = msgspec.json.Decoder(Page).decode


def read_list(answered: Answered, started: int, ended: int, asked: int, texts: Texts) -> Read:
    """What a list answered."""
    position = answered.header(b"taskfold-position")
    assert position is not None
    items = tuple(texts.one(bytes(item)) for item in _page(answered.body).items)
    return Read(started, ended, asked, int(position), items)
