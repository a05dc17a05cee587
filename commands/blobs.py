"""Blobs: the bytes of files, kept by their digest. A small interface, so that they may lie on a disk or elsewhere.

The order of things is: the bytes are in their place, then a fact in the log names them, and with it in one transaction
a row of the table `blobs`. So a crash leaves at most bytes that nothing names, and those are swept away. They are never
removed for being unwanted while they are young: somebody may be about to name them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from domain.attachment import check_name
from domain.errors import Invalid, Unsupported
from domain.media import sniff


class Blob(NamedTuple):
    """Bytes of a workspace: equal ones are kept once. Two workspaces share nothing."""

    workspace_id: str
    sha256: str  # in hexadecimal


class BlobMissing(Exception):  # noqa: N818  (a finding of the store; who asked says what it means)
    """The store has no such bytes."""


class TooLarge(Exception):  # noqa: N818  (a verdict)
    """More bytes came than the `most` that there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Incoming(Protocol):
    """Bytes on their way into the store."""

    size: int
    head: bytes

    async def write(self, chunk: bytes) -> None:
        """Take more bytes. Raises `TooLarge`."""

    async def keep(self) -> Blob:
        """All bytes have come: put them in their place, durably. Equal ones that lie there become young again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What files there may be: of at most so many bytes, of these media types; `*` among them: of any."""

    most_bytes: int
    types: frozenset[str]

    def check(self, incoming: Incoming, name: str) -> str:
        """The media type of what came in under a name. Raises `Invalid`, `Unsupported` for what is not taken."""
        check_name(name)
        if not incoming.size:
            raise Invalid("attachment.empty", "/file", "must have at least 1 byte, got 0", 0)
        media_type = sniff(incoming.head, name)
        if media_type not in self.types and "*" not in self.types:
            detail = f"by its content and name this is {media_type}, which is not taken here"
            raise Unsupported("attachment.type", detail, media_type=media_type, allowed=sorted(self.types))
        return media_type


Wanted = Callable[[Blob], Awaitable[bool]]


class Blobs(Protocol):
    """Where bytes are kept. `tests/commands/test_blobs.py` says what every such place must do."""

    def receive(self, workspace_id: str, most: int) -> AbstractAsyncContextManager[Incoming]:
        """Room for bytes, at most so many. Whatever was not kept at the end of the block is gone, however it ends."""

    def read(self, blob: Blob, start: int, end: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes from `start` up to `end`, the end excluded, chunk by chunk. Raises `BlobMissing` as it opens."""

    def listed(self) -> AsyncIterator[Blob]:
        """All that is kept and not young, in any order."""

    async def discard(self, blob: Blob, wanted: Wanted) -> bool:
        """Remove what is neither young nor wanted, asked when nobody can come to want it unseen. Whether it was so."""

    async def sweep(self) -> int:
        """Remove what came in part and was left. Answers how many."""
