"""How everybody in a fault run learns that something happened, without sleeping."""

import asyncio
import contextlib
from collections.abc import Callable


class Bell:
    """Rings at every answer, frame, kill and start."""

    def __init__(self) -> None:
        self._listeners: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake all who listen. It rings thousands of times a second, mostly for nobody."""
        if self._listeners:
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                if not listener.done():
                    listener.set_result(None)

    async def rung(self) -> None:
        """Until the next ring."""
        listener: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners.append(listener)
        await listener

    async def heard(self, most: float) -> None:
        """Until the next ring, or so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self.rung()

    async def until(self, condition: Callable[[], bool], most: float) -> bool:
        """Until a condition holds that a ring can make true. False when it does not within so many seconds."""
        try:
            async with asyncio.timeout(most):
                while not condition():
                    await self.rung()
        except TimeoutError:
            return condition()
        return True


async def back_off(seconds: float) -> None:
    """A client's own pause before it tries again: nothing that happens to others shortens it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()
