"""How everybody in a fault run learns that something happened, without sleeping."""

import asyncio
import contextlib
from collections.abc import Callable


class Bell:
    """Rings at every answer, frame, kill and start."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all who listen."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def heard(self, most: float) -> None:
        """Until the next ring, or so many seconds: a client that tries again backs off like this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._rung.wait()

    async def until(self, condition: Callable[[], bool], most: float) -> bool:
        """Until a condition holds that a ring can make true. False when it does not within so many seconds."""
        try:
            async with asyncio.timeout(most):
                while not condition():
                    await self._rung.wait()
        except TimeoutError:
            return condition()
        return True
