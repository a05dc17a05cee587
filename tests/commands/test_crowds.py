"""Commands that write streams which others write too: each gets its turn, and few decide in vain."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from commands.appending import Fact
from commands.deciding import Context
from commands.execute import MOST_ATTEMPTS
from domain.policy import Action
from domain.task import TaskEdited
from tests.commands.desk import Connection, Desk, Team, events_of, log_of
from tests.house import Database

WRITERS = 50


@dataclass(frozen=True, slots=True)
class RenameAll:
    """Give several tasks one name: a command on the first, that writes the others as well."""

    title: str
    task_ids: tuple[str, ...]

    @property
    def stream_id(self) -> str:
        return self.task_ids[0]

    def decide(self, context: Context) -> Sequence[Fact]:
        return [
            Fact(context.task(task_id, Action.TASK_EDIT).id, TaskEdited(title=self.title)) for task_id in self.task_ids
        ]


@pytest.mark.parametrize("processes", [1, 2])
async def test_commands_that_each_write_what_the_others_are_about_are_all_done(
    database: Database, desk: Desk, owner: Connection, team: Team, processes: int
) -> None:
    """Whoever has a turn on one waits for a turn on the next: in a ring, were there no order in them."""
    async with Desk.open(database) as other:
        ring = [await desk.task(team) for _ in range(3)]
        around = [tuple(ring[(start + step) % 3] for step in range(3)) for start in range(3)]
        async with asyncio.timeout(60):
            await asyncio.gather(
                *[
                    (desk, other)[n % processes].do(team, team.admin, RenameAll(f"name {n}", around[n % 3]))
                    for n in range(WRITERS)
                ]
            )
    log = await log_of(owner, team.workspace_id)
    for task_id in ring:
        titles = [event.title for event in events_of(log, task_id) if isinstance(event, TaskEdited)]
        assert sorted(map(str, titles)) == sorted(f"name {n}" for n in range(WRITERS))


async def test_more_than_may_try_again_all_write_one_stream_and_few_decide_in_vain(desk: Desk, team: Team) -> None:
    shared, *own = [await desk.task(team) for _ in range(MOST_ATTEMPTS + 20)]
    before = desk.executor.counts.retries
    await asyncio.gather(*[desk.do(team, team.admin, RenameAll("new", (task_id, shared))) for task_id in own])
    assert desk.executor.counts.retries - before <= 2 * len(own)
