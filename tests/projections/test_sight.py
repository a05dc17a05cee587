"""What a change of somebody's role or teams does to what they see: for any history, it is what the pure fold says."""

import random
from collections.abc import Callable
from contextlib import suppress

import orjson
import pytest
from msgspec.json import encode
from redis.asyncio import Redis

from commands.deciding import Command
from commands.ids import new_id
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, RestoreTask, UnassignTask
from commands.team import AddMember, CreateTeam, RemoveMember
from commands.user import ChangeRole
from domain.errors import Rejection
from domain.policy import Eyes, audience
from domain.policy import eyes as eyes_of
from domain.task import Task
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.user import Role, User
from projections import sight
from projections.changes import access_change
from projections.database import Pool
from tests.commands.desk import Connection, Desk, Team, log_of, states
from tests.domain.given import person
from tests.projections.reading import catch_up, start_over, worker
from tests.projections.test_past import at

Seen = dict[str, tuple[bool, object]]


def expected(tasks: dict[str, Task], before: Eyes, after: Eyes) -> Seen:
    """Whether each task that is told comes or goes, and as what."""
    return {
        id_: (after.see(audience(task)), orjson.loads(encode(task)))
        for id_, task in tasks.items()
        if not task.deleted_at and before.see(audience(task)) != after.see(audience(task))
    }


async def _live(desk: Desk, team: Team, dice: random.Random, commands: int) -> None:
    """Tasks that go from hand to hand, and people who come and go."""
    people, groups, tasks = (team.member, team.other), (new_id(), new_id()), [new_id() for _ in range(12)]
    for group in groups:
        await desk.do(team, team.admin, CreateTeam(group, "a team"))
    for n, task in enumerate(tasks):
        await desk.do(team, (team.admin, *people)[n % 3], CreateTask(task, "write"))
    makers: list[Callable[[str], Command]] = [
        lambda task: AssignTask(task, Assignee(type="team", id=dice.choice(groups))),
        lambda task: AssignTask(task, Assignee(type="team", id=dice.choice(groups))),
        lambda task: AssignTask(task, person(dice.choice(people))),
        UnassignTask,
        lambda task: EditTask(task, title=str(dice.random())),
        DeleteTask,
        RestoreTask,
        lambda _: AddMember(dice.choice(groups), dice.choice(people), TeamRole.MEMBER),
        lambda _: RemoveMember(dice.choice(groups), dice.choice(people)),
        lambda _: ChangeRole(dice.choice(people), dice.choice([Role.MEMBER, Role.AUDITOR, Role.MANAGER])),
    ]
    for _ in range(commands):
        with suppress(Rejection):
            await desk.do(team, team.admin, dice.choice(makers)(dice.choice(tasks)))


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_gained_and_lost_is_the_difference_of_the_fold(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await _live(desk, team, random.Random(seed), 150)
    log = await log_of(owner, team.workspace_id)
    accesses = [change for event in log if (change := access_change(event)) is not None]
    every = states(log)
    versions = {event.position: event.version for event in log}
    # Rows at the end of the log, and rows that a crash has set back to somewhere in it.
    told = 0
    for reached in (len(log), random.Random(seed).randrange(len(log))):
        await start_over(owner, "tasks")
        await worker(pool, redis, most=reached).run_once(team.workspace_id, "tasks")
        async with pool.connection() as connection:
            for access in accesses:
                user = every[access.user_id, versions[access.position] - 1]
                assert isinstance(user, User)
                before, after = eyes_of(user), access.after(eyes_of(user))
                same = await sight.user_at(connection, team.workspace_id, access.user_id, access.position - 1)
                assert same == user
                changes = await sight.changes(connection, team.workspace_id, access.position, before, after)
                assert changes is not None
                assert [change.task_id for change in changes] == sorted(change.task_id for change in changes)
                assert {change.position for change in changes} <= {access.position}
                found = {
                    change.task_id: (change.after is not None, orjson.loads(bytes(change.task))) for change in changes
                }
                wanted = expected(at(log, access.position), before, after)
                assert found == wanted, (reached, access)
                told += len(wanted)
                for name in ("MOST", "MOST_FOLDED"):
                    with monkeypatch.context() as patch:
                        patch.setattr(sight, name, max(0, len(wanted) - 1))
                        few = await sight.changes(connection, team.workspace_id, access.position, before, after)
                    assert few is None or (name, few) == ("MOST_FOLDED", changes) or not wanted
    assert told > 50


async def test_a_user_is_found_as_they_were_and_nobody_where_there_is_none(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    await catch_up(worker(pool, redis), team.workspace_id)
    async with pool.connection() as connection:
        for position in (0, 3, 99):  # the member joined at 4
            user = await sight.user_at(connection, team.workspace_id, team.member, position)
            assert user is not None
            assert user.role == Role.MEMBER
        assert await sight.user_at(connection, team.workspace_id, team.workspace_id[:-4] + "0000", 99) is None
