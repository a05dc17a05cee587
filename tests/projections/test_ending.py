"""Background work ends when it is told to, also where a library lost the word."""

import asyncio

import pytest

from projections import ending
from projections.ending import end


async def test_a_task_that_loses_a_cancellation_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def loses_two() -> None:
        nonlocal asked
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1
                if asked > 2:
                    raise

    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.01)
    task = asyncio.create_task(loses_two())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(task, None)
    assert (task.cancelled(), asked) == (True, 3)


async def test_what_failed_or_has_ended_before_is_ended() -> None:
    async def fails() -> None:
        raise ValueError

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    for _ in range(2):
        await end(task)
    assert isinstance(task.exception(), ValueError)
    await end()
