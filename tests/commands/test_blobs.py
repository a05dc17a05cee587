"""What every place must do where bytes are kept. A new one gets a line in PLACES, and no test of its own."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.blob_disk import CHUNK_BYTES, DiskBlobs
from commands.blobs import Blob, BlobMissing, Blobs, TooLarge
from commands.ids import new_id
from domain.media import HEAD_BYTES

Make = Callable[[Path, float], Blobs]  # a folder, and how many seconds bytes are young

PLACES: dict[str, Make] = {"disk": DiskBlobs}
HERE, THERE = new_id(), new_id()
LARGE = os.urandom(3 * CHUNK_BYTES + 17)


@pytest.fixture(params=PLACES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[float], Blobs]:
    """The same place each time; what is in it is young for so many seconds."""
    return lambda young_seconds: PLACES[request.param](tmp_path, young_seconds)


@pytest.fixture
def blobs(make: Callable[[float], Blobs]) -> Blobs:
    return make(0)


async def put(blobs: Blobs, data: bytes, workspace_id: str = HERE) -> Blob:
    async with blobs.receive(workspace_id, len(data)) as incoming:
        for start in range(0, len(data), 50_000):
            await incoming.write(data[start : start + 50_000])
        assert (incoming.size, incoming.head) == (len(data), data[:HEAD_BYTES])
        return await incoming.keep()


async def got(blobs: Blobs, blob: Blob, start: int = 0, end: int = len(LARGE)) -> bytes:
    async with blobs.read(blob, start, end) as chunks:
        parts = [chunk async for chunk in chunks]
    assert all(0 < len(part) <= CHUNK_BYTES for part in parts)
    return b"".join(parts)


async def all_of(blobs: Blobs) -> set[Blob]:
    return {blob async for blob in blobs.listed()}


async def _wanted(_: Blob) -> bool:
    return True


async def _unwanted(_: Blob) -> bool:
    return False


async def test_what_was_kept_is_read_whole_or_in_part(blobs: Blobs) -> None:
    blob = await put(blobs, LARGE)
    assert blob == (HERE, hashlib.sha256(LARGE).hexdigest())
    assert await got(blobs, blob) == LARGE
    for start, end in ((0, 1), (5, 5), (CHUNK_BYTES - 1, CHUNK_BYTES + 1), (len(LARGE) - 3, len(LARGE) + 99)):
        assert await got(blobs, blob, start, end) == LARGE[start:end]
    assert await got(blobs, await put(blobs, b"x")) == b"x"


async def test_equal_bytes_are_kept_once_a_workspace(blobs: Blobs) -> None:
    assert await put(blobs, b"same") == await put(blobs, b"same")
    await put(blobs, b"same", THERE)
    assert sorted(workspace_id for workspace_id, _ in await all_of(blobs)) == sorted([HERE, THERE])


async def test_what_is_not_there_is_missing_as_it_is_opened(blobs: Blobs) -> None:
    blob = await put(blobs, b"here")
    for other in (Blob(THERE, blob.sha256), Blob(HERE, "00" * 32)):
        with pytest.raises(BlobMissing):
            async with blobs.read(other, 0, 1):
                pytest.fail("it was opened")


async def test_what_was_not_kept_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    async def breaks_off() -> None:
        async with blobs.receive(HERE, 10**9) as incoming:
            await incoming.write(LARGE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await breaks_off()
    async with blobs.receive(HERE, 10) as incoming:
        await incoming.write(b"never kept")
    assert await all_of(blobs) == set()
    assert _files(tmp_path) == []


async def test_a_task_that_is_cancelled_while_it_writes_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def upload() -> None:
        async with blobs.receive(HERE, 10**9) as incoming:
            begun.set()
            while True:
                await incoming.write(LARGE)

    uploads = [asyncio.create_task(upload()) for _ in range(5)]
    await begun.wait()
    for task in uploads:
        task.cancel()
    await asyncio.gather(*uploads, return_exceptions=True)
    assert all(task.cancelled() for task in uploads)
    assert _files(tmp_path) == []


async def test_more_than_there_may_be_is_refused_as_soon_as_it_comes(blobs: Blobs) -> None:
    async with blobs.receive(HERE, 10) as incoming:
        await incoming.write(b"0123456789")
        with pytest.raises(TooLarge) as refused:
            await incoming.write(b"0")
        assert refused.value.most == 10


async def test_what_nobody_wants_is_discarded_and_what_somebody_wants_is_not(blobs: Blobs) -> None:
    blob, other = await put(blobs, b"one"), await put(blobs, b"two")
    assert not await blobs.discard(blob, _wanted)
    assert await got(blobs, blob) == b"one"
    assert await blobs.discard(blob, _unwanted)
    assert not await blobs.discard(blob, _unwanted)
    assert await all_of(blobs) == {other}
    with pytest.raises(BlobMissing):
        await got(blobs, blob)


async def test_what_is_young_is_neither_listed_nor_discarded(make: Callable[[float], Blobs]) -> None:
    blobs = make(3_600)
    blob = await put(blobs, b"young")
    assert await all_of(blobs) == set()
    assert not await blobs.discard(blob, _unwanted)
    assert await got(blobs, blob) == b"young"
    assert await all_of(make(0)) == {blob}


async def test_bytes_that_come_while_equal_ones_are_discarded_stay(
    make: Callable[[float], Blobs], tmp_path: Path
) -> None:
    """Between the question whether anybody wants them and the end of them."""
    blob = await put(make(0), b"same")
    _grow_old(tmp_path)
    asked = 0

    async def nobody_yet(_: Blob) -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            await put(make(0), b"same")
        return False

    await make(3_600).discard(blob, nobody_yet)
    assert asked == 2
    assert await got(make(0), blob) == b"same"


async def test_who_comes_to_want_them_while_they_are_discarded_gets_them(make: Callable[[float], Blobs]) -> None:
    blob = await put(make(0), b"same")
    answers = iter([False, True])

    async def lately(_: Blob) -> bool:
        return next(answers)

    assert not await make(0).discard(blob, lately)
    assert await got(make(0), blob) == b"same"


async def test_a_sweep_removes_what_came_in_part_and_puts_back_what_was_on_its_way_out(
    make: Callable[[float], Blobs],
) -> None:
    blobs = make(0)
    blob = await put(blobs, b"whole")

    answers = iter([False])  # and the second question is never answered

    async def crash(_: Blob) -> bool:
        for answer in answers:
            return answer
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await blobs.discard(blob, crash)
    async with blobs.receive(HERE, 100) as incoming:
        await incoming.write(b"part")
        assert await make(3_600).sweep() == 0
        assert await blobs.sweep() == 1
    assert await all_of(blobs) == {blob}
    assert await got(blobs, blob) == b"whole"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _grow_old(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))
