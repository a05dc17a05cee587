"""Changes: what is published, what is read back from the log, and what each position did are one and the same."""

import random
from collections.abc import Sequence

import msgspec
import orjson
import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.events import Recorded, name_of
from domain.messages import AccessChange, TaskChange
from domain.policy import Eyes, audience
from domain.task import ERASED_TITLE, Task, TaskAssigned, TaskDeleted, TaskEdited, TaskRestored, TaskUnassigned
from domain.task_fields import Assignee
from domain.user import (
    Role,
    UserProjectJoined,
    UserProjectLeft,
    UserRoleChanged,
    UserTeamJoined,
    UserTeamLeft,
)
from projections import changes
from projections.changes import seen
from projections.database import Connection as Reading
from projections.database import Pool
from projections.stream_folding import MOST_PUBLISHED
from projections.tasks import encode
from tests.commands.desk import Connection, Desk, Team, as_task, log_of, states
from tests.house import until
from tests.projections.histories import History
from tests.projections.reading import catch_up, creation, fold_of, listening, log_events, reaches, rows_of, worker

Plain = tuple[int, str, object, frozenset[str] | None, frozenset[str] | None]


def plain(read: Sequence[TaskChange]) -> list[Plain]:
    """Changes, so that they can be compared."""
    return [(c.position, c.task_id, orjson.loads(bytes(c.task)), c.before, c.after) for c in read]


def owners(task: Task | None) -> frozenset[str] | None:
    """Whose a task is; None where there is none to see."""
    return None if task is None or task.deleted_at else audience(task)


def expected(log: list[Recorded]) -> tuple[list[Plain], list[AccessChange]]:
    """The changes of a whole log, position by position, from nothing but the states it folds to."""
    every, tasks, accesses = states(log), [], []
    for event in log:
        if name_of(event.event).startswith("task."):
            known = every.get((event.stream_id, event.version - 1))
            before = None if known is None else as_task(known)
            after = as_task(every[event.stream_id, event.version])
            document = orjson.loads(encode(after))
            tasks.append((event.position, event.stream_id, document, owners(before), owners(after)))
        match event.event:
            case UserRoleChanged(role=role):
                accesses.append(AccessChange(event.position, event.stream_id, role=role))
            case UserTeamJoined(team_id=team_id):
                accesses.append(AccessChange(event.position, event.stream_id, joined=team_id))
            case UserTeamLeft(team_id=team_id):
                accesses.append(AccessChange(event.position, event.stream_id, left=team_id))
            case UserProjectJoined(project_id=project_id):
                accesses.append(AccessChange(event.position, event.stream_id, joined=project_id))
            case UserProjectLeft(project_id=project_id):
                accesses.append(AccessChange(event.position, event.stream_id, left=project_id))
    return tasks, accesses


async def pages(connection: Reading, workspace_id: str, sizes: Sequence[int]) -> list[changes.Changes]:
    """The whole feed, in pages of these sizes in turn."""
    read: list[changes.Changes] = []
    at = 0
    while True:
        part = await changes.read(connection, workspace_id, at, sizes[len(read) % len(sizes)])
        assert part.after == at
        if part.to == at:
            return read
        read.append(part)
        at = part.to


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_published_is_what_is_read_back_in_any_pages(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, seed: int
) -> None:
    history, dice = History(desk, team, 100 + seed), random.Random(seed)
    await history.go_on(20)
    async with listening(redis, team.workspace_id) as heard:
        projector = worker(pool, redis, poll_seconds=0.01, most=dice.choice([1, 5, 50]))
        await projector.start()
        await history.go_on(250)
        log = await log_of(owner, team.workspace_id)
        await until(lambda: heard.reached("tasks") == len(log))
        await projector.stop()
    tasks, accesses = expected(log)
    assert len({task_id for _, task_id, *_ in tasks}) > 5
    assert plain(heard.tasks) == tasks
    assert heard.accesses == accesses
    for sizes in ([10_000], [1], [2, 3, 7], [dice.randrange(1, 30) for _ in range(9)]):
        async with pool.connection() as connection:
            read = await pages(connection, team.workspace_id, sizes)
        assert plain([change for part in read for change in part.tasks]) == tasks
        assert [access for part in read for access in part.accesses] == accesses
        assert read[-1].to == len(log)
        assert {part.head for part in read} == {len(log)}


async def test_a_page_knows_streams_that_began_before_it(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    """From anywhere, also in the middle of a command of two events."""
    await History(desk, team, 104).go_on(80)
    log = await log_of(owner, team.workspace_id)
    tasks, accesses = expected(log)
    async with pool.connection() as connection:
        for after in range(len(log) + 1):
            part = await changes.read(connection, team.workspace_id, after, 4)
            assert part.to == min(after + 4, len(log))
            assert plain(part.tasks) == [task for task in tasks if after < task[0] <= part.to]
            assert part.accesses == [access for access in accesses if after < access.position <= part.to]


async def test_audiences_follow_the_task_through_assignment_and_trash(
    owner: Connection, team: Team, pool: Pool
) -> None:
    task_id, group = new_id(), new_id()
    await log_events(
        owner,
        team,
        task_id,
        creation(),
        TaskAssigned(assignee=Assignee(type="user", id=team.member)),
        TaskEdited(title="other"),
        TaskAssigned(assignee=Assignee(type="team", id=group)),
        TaskDeleted(),
        TaskEdited(title="in the trash"),
        TaskRestored(),
        TaskUnassigned(),
    )
    async with pool.connection() as connection:
        part = await changes.read(connection, team.workspace_id, 6, 100)
    creator = frozenset({team.admin})
    both, grouped = creator | {team.member}, creator | {group}
    assert [(change.before, change.after) for change in part.tasks] == [
        (None, creator),
        (creator, both),
        (both, both),
        (both, grouped),
        (grouped, None),
        (None, None),
        (None, grouped),
        (grouped, creator),
    ]


async def test_a_catch_up_is_published_without_its_changes(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """One more than can be sent; who needs them finds them in the log."""
    task_id = new_id()
    edits = [TaskEdited(title=f"title {n}") for n in range(MOST_PUBLISHED)]
    head = await log_events(owner, team, task_id, creation(), *edits)
    projector = worker(pool, redis, poll_seconds=0.01)
    async with listening(redis, team.workspace_id) as heard:
        await projector.start()
        await until(lambda: heard.reached("tasks") == head)
        last = await log_events(owner, team, task_id, TaskEdited(title="last"), after=len(edits) + 1)
        await until(lambda: heard.reached("tasks") == last)
        await projector.stop()
    catch_up_, live = heard.of("tasks")
    assert (catch_up_.after, catch_up_.to, catch_up_.tasks, catch_up_.accesses) == (0, head, None, [])
    assert [change.position for change in live.tasks or ()] == [last]
    async with pool.connection() as connection:
        assert len((await changes.read(connection, team.workspace_id, 0, 10_000)).tasks) == len(edits) + 2
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_the_most_that_can_be_sent_is_sent(owner: Connection, team: Team, pool: Pool, redis: Redis) -> None:
    edits = [TaskEdited(title=f"title {n}") for n in range(MOST_PUBLISHED - 1)]
    head = await log_events(owner, team, new_id(), creation(), *edits)
    projector = worker(pool, redis, poll_seconds=0.01)
    async with listening(redis, team.workspace_id) as heard:
        await projector.start()
        await until(lambda: heard.reached("tasks") == head)
        await projector.stop()
    assert plain(heard.tasks) == expected(await log_of(owner, team.workspace_id))[0]


async def test_the_projection_of_users_publishes_where_it_is_and_no_changes(
    team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, poll_seconds=0.01)
    async with listening(redis, team.workspace_id) as heard:
        await projector.start()
        await until(lambda: heard.reached("users") == 6)
        await projector.stop()
    (message,) = heard.of("users")
    assert (message.after, message.to, message.tasks, message.accesses) == (0, 6, None, [])


async def test_an_erased_event_is_a_change_that_says_nothing(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    task_id = await desk.task(team, title="a secret")
    await log_events(owner, team, task_id, TaskEdited(title="less so"), after=1)
    await log_events(owner, team, team.member, UserRoleChanged(role=Role.AUDITOR), after=1)
    for position in (7, 9):
        await owner.execute("SELECT erase(%s, %s, 'asked to')", (team.workspace_id, position))
    async with pool.connection() as connection:
        part = await changes.read(connection, team.workspace_id, 6, 10)
        later = await changes.read(connection, team.workspace_id, 7, 10)
    assert [orjson.loads(bytes(change.task))["title"] for change in part.tasks] == [ERASED_TITLE, "less so"]
    assert part.accesses == []
    assert plain(later.tasks) == plain(part.tasks)[1:]
    await catch_up(worker(pool, redis), team.workspace_id)
    assert (await rows_of(owner, team.workspace_id)).users[team.member]["role"] == "member"


async def test_past_the_end_and_in_an_unknown_workspace_nothing_has_changed(team: Team, pool: Pool) -> None:
    async with pool.connection() as connection:
        assert await changes.read(connection, team.workspace_id, 6, 10) == (6, 6, 6, [], [])
        assert await changes.read(connection, team.workspace_id, 99, 10) == (99, 99, 6, [], [])
        assert await changes.read(connection, new_id(), 0, 10) == (0, 0, 0, [], [])


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("before", [None, frozenset("a"), frozenset("ab")])
@pytest.mark.parametrize("after", [None, frozenset("a"), frozenset("ab")])
def test_a_change_is_seen_as_the_policy_says(
    role: Role, before: frozenset[str] | None, after: frozenset[str] | None
) -> None:
    """`b` gets what is there to be read after it, and is told when something that could be read is gone."""
    change = TaskChange(1, "t", msgspec.Raw(b"{}"), before, after)
    eyes = Eyes(role, frozenset("b"))
    could, can = (owners is not None and eyes.see(owners) for owners in (before, after))
    assert seen(change, eyes) == ("upsert" if can else "removed" if could else None)


async def test_roles_are_published_with_the_tasks_of_their_time(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Sockets judge each change by the role of its position, so both travel in one stream."""
    task_id = new_id()
    projector = worker(pool, redis, poll_seconds=0.01)
    async with listening(redis, team.workspace_id) as heard:
        await projector.start()
        await log_events(owner, team, task_id, creation())
        await log_events(owner, team, team.member, UserRoleChanged(role=Role.MANAGER), after=1)
        await log_events(owner, team, task_id, TaskEdited(title="other"), after=1)
        await until(lambda: heard.reached("tasks") == 9)
        await reaches(owner, team.workspace_id, 9)
        await projector.stop()
    assert [change.position for change in heard.tasks] == [7, 9]
    assert heard.accesses == [AccessChange(8, team.member, Role.MANAGER)]
    assert (await rows_of(owner, team.workspace_id)).users[team.member]["role"] == "manager"
