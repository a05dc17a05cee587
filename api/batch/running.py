"""How a batch is run: all of its commands by one append, one by one where that loses to others, or not at all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace
from pydantic import ValidationError

from api import tagging
from api.batch.bodies import CommandBody
from api.batch.route import Batching
from api.batch.steps import Refusal, Step, one_command_id, steps_of
from commands.batch import TOGETHER, check_size, is_too_large
from commands.execute import MOST_ATTEMPTS
from commands.staging import Stage
from domain.errors import Rejection, Undone
from projections import log

BREATH: Final = 50  # commands, or as much as they write, after which others have their turn on the event loop


@dataclass(slots=True)
class Ran:
    """What came of a batch: its steps, the position that shows all of it, and whether its key was known before."""

    steps: list[Step]
    position: int
    replayed: bool


class Run:
    """One batch of one client; `keys` are those of its commands where it has none for all of them."""

    def __init__(
        self,
        asked: Batching,
        commands: Sequence[CommandBody],
        *,
        atomic: bool = False,
        dry_run: bool = False,
        keys: Sequence[str] | None = None,
    ) -> None:
        self._services = asked.services
        self._batches = asked.services.batches
        self._identity = asked.identity
        self._call = asked.call if keys is None else replace(asked.call, key=None)
        self._atomic = atomic
        self._dry_run = dry_run
        self._steps = steps_of(commands, asked.types, asked.call, keys)
        self._size = 0  # events that would go in together
        self._by_id = {step.body.id: step for step in self._steps}
        if atomic:
            one_command_id(self._steps)

    async def run(self) -> Ran:
        """Do it. Raises `Unavailable` and `Invalid` `idempotency.key_reused`, which are about all of it."""
        try:
            return await (self._foresee() if self._dry_run else self._perform())
        finally:
            self._close()

    async def again(self) -> Ran:
        """Each command by itself, under its own key: some are done already."""
        try:
            return Ran(self._steps, await self._one_by_one(), replayed=True)
        finally:
            self._close()

    def _close(self) -> None:
        for step in self._steps:
            step.close()

    async def _perform(self) -> Ran:
        if await self._batches.is_known(self._call):
            return Ran(self._steps, await self._one_by_one(), replayed=True)
        attempts = MOST_ATTEMPTS if self._atomic else TOGETHER
        committed = await self._batches.commit(self._call, self._decide, attempts)
        if committed is None:
            replayed = await self._batches.begin(self._call)
            return Ran(self._steps, await self._one_by_one(), replayed)
        done = [step for step in self._steps if step.staged is not None]
        for at, (step, receipt) in enumerate(zip(done, committed.receipts, strict=bool(committed.receipts))):
            if at % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                await step.finish(receipt)
            except (Rejection, ValidationError) as refusal:
                step.refusal = refusal
        refused = sum(
            isinstance(step.refusal, Rejection) and not isinstance(step.refusal, Undone) for step in self._steps
        )
        self._services.executor.counts.rejected += refused
        return Ran(self._steps, committed.position or await self._head(), replayed=False)

    async def _foresee(self) -> Ran:
        await self._batches.foresee(self._call, self._decide_all)
        if self._atomic:
            check_size(self._size)
        return Ran(self._steps, await self._head(), replayed=False)

    async def _decide_all(self, stage: Stage) -> bool:
        """The same with what routes do after their commands."""
        goes = await self._decide(stage)
        self._size = stage.size if goes else 0
        for step in self._steps:
            if step.staged is not None:
                command = await step.command(self._services, self._identity, self._by_id.get)
                for more in await tagging.foresee(self._services, stage, step.call, command):
                    step.staged = step.staged._replace(facts=[*step.staged.facts, *more.facts])
        return goes

    async def _decide(self, stage: Stage) -> bool:
        """Put the commands on a stage; False where there is one that is refused, and all depend on each."""
        for step in self._steps:
            step.begin()
        breathed = 0
        for step in self._steps:
            if step.place + stage.size >= breathed + 3 * BREATH:  # most of them write two events or less
                breathed = step.place + stage.size
                await asyncio.sleep(0)
            if is_too_large(stage.size) and not (self._atomic or self._dry_run):
                return True  # they go one by one: what the others would write is of no use
            try:
                command = await step.command(self._services, self._identity, self._by_id.get)
                step.decided(await stage.take(command, step.call))
            except (Rejection, ValidationError) as refusal:
                step.refusal = refusal
                if self._atomic:
                    self._roll_back(step)
                    return False
        return True

    async def _one_by_one(self) -> int:
        """Each by its own append. Answers the position of the last one."""
        position = 0
        for step in self._steps:
            step.begin()
            try:
                command = await step.command(self._services, self._identity, self._by_id.get)
                receipt = await self._services.executor.execute(command, step.call)
                position = max(position, receipt.position)
                await step.finish(receipt)
            except (Rejection, ValidationError) as refusal:
                step.refusal = refusal
        return position or await self._head()

    def _roll_back(self, refused: Step) -> None:
        for step in self._steps:
            if step is not refused:
                step.staged = None
                step.refusal = _rolled_back(refused)

    async def _head(self) -> int:
        async with self._services.pool.connection() as connection:
            return await log.head(connection, self._call.workspace_id)


def _rolled_back(refused: Step) -> Refusal:
    detail = f"nothing of the batch is done, because the command {refused.body.id!r} is refused"
    return Undone("batch.rolled_back", detail)
