"""The last steps of an import: the tasks are written, parents first, then what they are to each other, and checklists.

What is done stands in the log. The rows follow it, so whoever takes the job up after a kill looks there first: a task
that is there is not written again, and a link that is made is no event.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from commands.deciding import Command, Context, NotLoaded
from commands.dependencies import LinkTasks
from commands.execute import Call, Executor
from commands.import_check import all_to_write, command_of, decode_items, decode_links
from commands.import_read import DECODE, Progress
from commands.import_rows import ImportRows, JoinRow, Outcome, Problem, WorkRow, problem_of
from commands.importing import ImportChecklist
from commands.overlay import Overlay, Together
from commands.streams import Streams
from domain import failpoints
from domain.errors import Rejection, Unauthenticated, Unavailable
from domain.job import LineVerdict
from domain.task import Task
from domain.task_links import LinkType

ROWS_AT_ONCE: Final = 500  # that are looked for at once
TASKS_AT_ONCE: Final = 100  # in one append: about what a full batch of commands is
BYTES_AT_ONCE: Final = 1_000_000
JOINS_AT_ONCE: Final = 50

Step = tuple[int, Command]  # the line that it is of

ENDS_IT: Final = (Unauthenticated, Unavailable)  # about who imports, or about us: no line can be blamed


@dataclass(slots=True)
class ImportWriter:
    """Writes one file that was checked. `held` raises `LeaseLost` before more is written than anybody wants; `position`
    is that of the last event.
    """

    call: Call
    rows: ImportRows
    streams: Streams
    executor: Executor
    held: Callable[[], Awaitable[None]]
    position: int = 0

    async def write(self, done: int, progress: Progress) -> None:
        """Write the tasks. Raises `Unauthenticated` when who imports may no longer come in, `Unavailable`."""
        async for rows in all_to_write(self.rows, ROWS_AT_ONCE):
            wanted = {row.task_id for row in rows} | {row.parent_id for row in rows if row.parent_id is not None}
            await self.streams.refresh(self.call.workspace_id, wanted)
            there = [row for row in rows if self._task(row.task_id) is not None]
            if there:
                await self._settle_there(there)
                known = {row.line for row in there}
                rows = [row for row in rows if row.line not in known]
                done += len(known)
            settling: asyncio.Task[None] | None = None
            try:
                for some in _by_size(rows):
                    await self.held()
                    outcomes = await self._write(some)
                    if settling is not None:
                        await settling
                    settling = asyncio.create_task(self.rows.settle(outcomes))  # while the next ones are decided
                    done += len(some)
                    await progress(done)
            finally:
                if settling is not None:
                    await settling

    async def _settle_there(self, rows: Sequence[WorkRow]) -> None:
        """Tasks that are there were made by an import before this one, or by this one before a kill."""
        ours = await self.rows.made_by_this([row.task_id for row in rows])
        created, present = LineVerdict.CREATED, LineVerdict.PRESENT
        await self.rows.settle([Outcome(row.line, created if row.task_id in ours else present) for row in rows])

    async def _write(self, rows: Sequence[WorkRow]) -> list[Outcome]:
        steps = [(row.line, command_of(row, DECODE(row.work))) for row in rows]
        refused = await self._run_all(steps)
        failpoints.reach(failpoints.IMPORT_WRITTEN)
        return [
            Outcome(row.line, LineVerdict.REFUSED, refused[row.line])
            if row.line in refused
            else Outcome(row.line, LineVerdict.CREATED)
            for row in rows
        ]

    async def join(self, progress: Callable[[], Awaitable[None]]) -> None:
        """Write the links and the checklists of the tasks that are there. Raises as `write` does."""
        while rows := await self.rows.to_join(JOINS_AT_ONCE):
            others = {other for row in rows for _, other in _links(row)}
            await self.streams.refresh(self.call.workspace_id, {row.task_id for row in rows} | others)
            steps = [(row.line, command) for row in rows if self._goes_on(row.task_id) for command in _joins(row)]
            await self._load(steps)
            await self.held()
            refused = await self._run_all(steps) if steps else {}
            failpoints.reach(failpoints.IMPORT_WRITTEN)
            await self.rows.joined([row.line for row in rows], refused)
            await progress()

    async def _load(self, steps: Sequence[Step]) -> None:
        """Have in memory what the decisions need: to find that out one after another is cheaper than all again."""
        workspace_id = self.call.workspace_id
        world = Overlay(Context(workspace_id, self.call.actor_id, lambda id_: self.streams.get(workspace_id, id_)))
        for _, command in steps:
            while True:
                try:
                    world.run(command)
                except NotLoaded as missing:
                    await self.streams.refresh(workspace_id, missing.stream_ids)
                except Rejection:
                    break
                else:
                    break

    def _goes_on(self, task_id: str) -> bool:
        """Whether a task is not in the trash: an import before this one may have made it, and it was deleted then."""
        task = self._task(task_id)
        return task is not None and task.deleted_at is None

    def _task(self, task_id: str) -> Task | None:
        known = self.streams.get(self.call.workspace_id, task_id)
        return known.state if known is not None and isinstance(known.state, Task) else None

    async def _run_all(self, steps: Sequence[Step]) -> dict[int, list[Problem]]:
        """Run commands as one; where that is refused, each alone. Answers what was refused, by line."""
        try:
            await self._run(Together([command for _, command in steps]))
        except ENDS_IT:
            raise
        except Rejection:
            return await self._run_each(steps)
        return {}

    async def _run_each(self, steps: Sequence[Step]) -> dict[int, list[Problem]]:
        refused: dict[int, list[Problem]] = {}
        for line, command in steps:
            try:
                await self._run(command)
            except ENDS_IT:
                raise
            except Rejection as refusal:
                refused.setdefault(line, []).append(problem_of(refusal))
        return refused

    async def _run(self, command: Command) -> None:
        call = Call(self.call.workspace_id, self.call.actor_id, self.call.correlation_id)
        receipt = await self.executor.execute(command, call)
        self.position = max(self.position, receipt.position)


def _joins(row: JoinRow) -> list[Command]:
    commands: list[Command] = [LinkTasks(row.task_id, kind, other) for kind, other in _links(row)]
    if row.checklist is not None:
        commands.append(ImportChecklist(row.task_id, decode_items(row.checklist)))
    return commands


def _links(row: JoinRow) -> Sequence[tuple[LinkType, str]]:
    return () if row.links is None else decode_links(row.links)


def _by_size(rows: Sequence[WorkRow]) -> Iterator[list[WorkRow]]:
    """The same in parts that are not too large for one append."""
    part: list[WorkRow] = []
    size = 0
    for row in rows:
        if part and (len(part) == TASKS_AT_ONCE or size + len(row.work) > BYTES_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row.work)
    if part:
        yield part
