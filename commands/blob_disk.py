"""Blobs in a folder: `<workspace>/<first two digits>/<digest>`, beside them what comes in and what is being removed.

Bytes that come in are written under another name, made durable and renamed, so a name never stands for half a file. All
that touches the disk happens in threads: the event loop waits for no disk.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from commands.blobs import Blob, BlobMissing, TooLarge, Wanted
from commands.ids import new_id
from domain.media import HEAD_BYTES

YOUNG_SECONDS: Final = 3_600.0  # longer than an upload and its command take
CHUNK_BYTES: Final = 262_144

_INCOMING: Final = "incoming"
_ASIDE: Final = "aside"

T = TypeVar("T")


class DiskBlobs:
    """The blobs below a folder, for any number of processes at once. `young_seconds` is their time of grace."""

    def __init__(self, root: Path, young_seconds: float = YOUNG_SECONDS) -> None:
        self._root = root
        self._young_seconds = young_seconds

    def prepare(self) -> None:
        """Make the folder, and see whether one can write there. Raises `OSError`."""
        _folder(self._root)
        probe = self._root / f"{_INCOMING}-{new_id()}"
        probe.mkdir()
        probe.rmdir()

    @asynccontextmanager
    async def receive(self, workspace_id: str, most: int) -> AsyncIterator["IncomingFile"]:
        """See `Blobs.receive`."""
        path = self._root / _INCOMING / new_id()
        file = IncomingFile(path, lambda sha256: self._place(Blob(workspace_id, sha256)), workspace_id, most)
        try:
            await file.open()
            yield file
        finally:
            await file.close()

    @asynccontextmanager
    async def read(self, blob: Blob, start: int, end: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `Blobs.read`."""
        reading = Threads()
        descriptor = await asyncio.to_thread(self._open, blob)
        try:
            yield _chunks(reading, descriptor, start, end)
        finally:
            await reading.rest()
            os.close(descriptor)

    async def listed(self) -> AsyncIterator[Blob]:
        """See `Blobs.listed`."""
        for folder in await asyncio.to_thread(_folders, self._root):
            for sha256 in await asyncio.to_thread(self._old, folder):
                yield Blob(folder.parent.name, sha256)

    async def discard(self, blob: Blob, wanted: Wanted) -> bool:
        """See `Blobs.discard`. It is first moved aside: bytes that come in meanwhile get a file of their own.

        Whoever put bytes there before has made them young, or has a row by now.
        """
        if not await asyncio.to_thread(self._is_old, self._place(blob)) or await wanted(blob):
            return False
        aside = await asyncio.to_thread(self._set_aside, blob)
        if aside is None:
            return False
        if self._is_old(aside) and not await wanted(blob):
            await asyncio.to_thread(aside.unlink)
            return True
        await asyncio.to_thread(self._put_back, aside, self._place(blob))
        return False

    async def sweep(self) -> int:
        """See `Blobs.sweep`. What a crash has left aside goes back, to be judged anew."""
        return await asyncio.to_thread(self._sweep)

    def _place(self, blob: Blob) -> Path:
        return self._root / blob.workspace_id / blob.sha256[:2] / blob.sha256

    def _open(self, blob: Blob) -> int:
        try:
            return os.open(self._place(blob), os.O_RDONLY)
        except FileNotFoundError as error:
            raise BlobMissing(blob.sha256) from error

    def _is_old(self, path: Path) -> bool:
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime >= self._young_seconds
        return False

    def _old(self, folder: Path) -> list[str]:
        return [path.name for path in folder.iterdir() if self._is_old(path)]

    def _set_aside(self, blob: Blob) -> Path | None:
        aside = self._root / _ASIDE / f"{blob.workspace_id}.{blob.sha256}"
        _folder(aside.parent)
        try:
            self._place(blob).rename(aside)
        except FileNotFoundError:  # another sweeper was faster
            return None
        return aside

    def _put_back(self, aside: Path, place: Path) -> None:
        with suppress(FileExistsError):  # equal bytes came meanwhile
            os.link(aside, place)
        aside.unlink()

    def _sweep(self) -> int:
        gone = 0
        for path in _entries(self._root / _INCOMING):
            if self._is_old(path):
                path.unlink(missing_ok=True)
                gone += 1
        for path in _entries(self._root / _ASIDE):
            workspace_id, _, sha256 = path.name.partition(".")
            self._put_back(path, self._place(Blob(workspace_id, sha256)))
        return gone


class IncomingFile:
    """Bytes that are being written into a file, and digested on the way."""

    def __init__(self, path: Path, place: Callable[[str], Path], workspace_id: str, most: int) -> None:
        self.size = 0
        self.head = b""
        self._path = path
        self._place = place
        self._workspace_id = workspace_id
        self._most = most
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._descriptor = -1
        self._threads = Threads()

    async def open(self) -> None:
        """Make the file."""
        await self._threads.do(self._open)

    async def write(self, chunk: bytes) -> None:
        """See `Incoming.write`."""
        self.size += len(chunk)
        if self.size > self._most:
            raise TooLarge(self._most)
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes >= CHUNK_BYTES:
            await self._threads.do(self._flush)

    async def keep(self) -> Blob:
        """See `Incoming.keep`."""
        await self._threads.do(self._finish)
        return Blob(self._workspace_id, self._digest.hexdigest())

    async def close(self) -> None:
        """Let go of the file, and remove what was not kept."""
        await self._threads.rest()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._path.unlink(missing_ok=True)

    def _open(self) -> None:
        _folder(self._path.parent)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _finish(self) -> None:
        self._flush()
        os.fsync(self._descriptor)
        place = self._place(self._digest.hexdigest())
        _folder(place.parent)
        self._path.rename(place)
        with _directory(place.parent) as descriptor:
            os.fsync(descriptor)


class Threads:
    """Work in threads, one piece at a time. A thread cannot be cancelled, and must not find its file closed."""

    def __init__(self) -> None:
        self._work: asyncio.Future[Any] | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """Do something in a thread. It goes on where this is cancelled."""
        self._work = doing = asyncio.ensure_future(asyncio.to_thread(work))
        return await asyncio.shield(doing)

    async def rest(self) -> None:
        """Wait until no thread is at it."""
        if self._work is not None and not self._work.done():
            await asyncio.wait([self._work])


async def _chunks(threads: Threads, descriptor: int, start: int, end: int) -> AsyncIterator[bytes]:
    while start < end:
        chunk = await threads.do(partial(os.pread, descriptor, min(CHUNK_BYTES, end - start), start))
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def _folder(path: Path) -> None:
    """Make it with all above it, entered by its owner alone, and durable."""
    if path.is_dir():
        return
    _folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    with _directory(path.parent) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _folders(root: Path) -> list[Path]:
    workspaces = [path for path in _entries(root) if path.name not in (_INCOMING, _ASIDE)]
    return [folder for workspace in workspaces for folder in _entries(workspace)]
