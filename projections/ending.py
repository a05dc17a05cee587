"""The end of background tasks."""

import asyncio
from typing import Any, Final

AGAIN_SECONDS: Final = 0.1


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks until they have ended, whatever they end with.

    Once is not always enough: `wait_for` of Python 3.11, which the drivers use, swallows a cancellation that comes
    together with what it waits for.
    """
    running = {task for task in tasks if task is not None and not task.done()}
    while running:
        for task in running:
            task.cancel()
        done, running = await asyncio.wait(running, timeout=AGAIN_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody complains of it
