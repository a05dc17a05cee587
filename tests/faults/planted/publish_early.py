"""The projector says that it has taken in a batch before the batch is committed."""

import asyncio
from inspect import signature
from typing import Any

from domain import messages
from domain.messages import PROJECTED_CHANNEL, Projected
from projections import checkpoints
from projections.projector import Projector

BETWEEN_SECONDS = 0.05


def plant() -> None:
    """Publish when the checkpoint is about to move; the commit comes a little later."""
    senders = []
    start = Projector.start
    move = checkpoints.move

    async def starting(self: Projector) -> None:
        senders.append(self._sender)
        await start(self)

    async def publishing(*arguments: Any, **options: Any) -> None:
        await move(*arguments, **options)
        given = signature(move).bind(*arguments, **options).arguments
        message = Projected(given["workspace_id"], given["projection"], given["after"], given["to"], None, [])
        for sender in senders:
            sender.send(PROJECTED_CHANNEL, messages.encode(message))
        await asyncio.sleep(BETWEEN_SECONDS)

    Projector.start = starting  # type: ignore[method-assign]
    checkpoints.move = publishing
