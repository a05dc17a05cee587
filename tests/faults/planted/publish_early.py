"""The projector says that it has taken in a batch before the batch is committed."""

import asyncio
from dataclasses import replace
from typing import Any

from domain import messages
from domain.messages import PROJECTED_CHANNEL, Projected
from projections.checkpoints import Move
from projections.projector import Projector
from projections.registry import PROJECTIONS, TABLES
from projections.table import Table

BETWEEN_SECONDS = 0.05


def plant() -> None:
    """Publish when rows and checkpoint are about to be written; the commit comes a little later."""
    senders = []
    start = Projector.start

    async def starting(self: Projector) -> None:
        senders.append(self._sender)
        await start(self)

    def early(table: Table) -> Table:
        async def saving(connection: Any, move: Move, states: Any) -> None:
            message = Projected(move.workspace_id, move.projection, move.after, move.to, None, [])
            for sender in senders:
                sender.send(PROJECTED_CHANNEL, messages.encode(message))
            await asyncio.sleep(BETWEEN_SECONDS)
            await table.save(connection, move, states)

        return replace(table, save=saving)

    Projector.start = starting  # type: ignore[method-assign]
    PROJECTIONS.update({name: early(table) for name, table in TABLES.items()})
