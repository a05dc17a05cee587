"""How a batch is run: all of its commands by one append, one by one where that loses to others, or not at all."""

import asyncio
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from api import tagging
from api.batch.bodies import BatchBody
from api.batch.steps import Refusal, Step, one_command_id, steps_of
from api.batch.types import Type
from api.services import Services
from api.tokens import Identity
from commands.batch import TOGETHER
from commands.execute import MOST_ATTEMPTS, Call
from commands.staging import Stage
from domain.errors import Rejection, Undone
from projections import log

BREATH: Final = 50  # commands after which others have their turn on the event loop


@dataclass(slots=True)
class Ran:
    """What came of a batch: its steps, the position that shows all of it, and whether its key was known before."""

    steps: list[Step]
    position: int
    replayed: bool


class Run:
    """One batch of one client."""

    def __init__(
        self, services: Services, identity: Identity, kinds: dict[str, Type], call: Call, body: BatchBody
    ) -> None:
        self._services = services
        self._batches = services.batches
        self._identity = identity
        self._call = call
        self._body = body
        self._steps = steps_of(body.commands, kinds, call)
        self._by_id = {step.body.id: step for step in self._steps}
        if body.atomic:
            one_command_id(self._steps)

    async def run(self) -> Ran:
        """Do it. Raises `Unavailable` and `Invalid` `idempotency.key_reused`, which are about all of it."""
        try:
            return await (self._foresee() if self._body.dry_run else self._perform())
        finally:
            for step in self._steps:
                step.close()

    async def _perform(self) -> Ran:
        if await self._batches.is_known(self._call):
            return Ran(self._steps, await self._one_by_one(), replayed=True)
        attempts = MOST_ATTEMPTS if self._body.atomic else TOGETHER
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
        return Ran(self._steps, committed.position or await self._head(), replayed=False)

    async def _foresee(self) -> Ran:
        await self._batches.foresee(self._call, self._decide_all)
        return Ran(self._steps, await self._head(), replayed=False)

    async def _decide_all(self, stage: Stage) -> bool:
        """The same with what routes do after their commands."""
        goes = await self._decide(stage)
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
        for step in self._steps:
            if step.place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                command = await step.command(self._services, self._identity, self._by_id.get)
                step.decided(await stage.take(command, step.call))
            except (Rejection, ValidationError) as refusal:
                step.refusal = refusal
                if self._body.atomic:
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
