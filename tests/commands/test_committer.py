"""The committer: batches, bounds, fairness, and what becomes of callers that go away."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from api.database import connector
from commands.appending import Append, Fact, Outcome, Verdict
from commands.ids import new_id
from commands.lanes import WORTH_A_SECOND
from domain.errors import Unavailable
from domain.events import Event
from domain.task import TaskCreated, TaskDeleted
from domain.workflow import Category
from tests.commands.desk import Connection, Desk, Team, blocked, events_of, found, gave_way, held, log_of, wish
from tests.domain.given import rejected
from tests.house import Database

CREATED = TaskCreated(title="write", status="todo", category=Category.OPEN)


def creation(team: Team, task_id: str | None = None, *more: Event, **values: Any) -> Append:
    task_id = task_id or new_id()
    return wish(team, [Fact(task_id, event) for event in (CREATED, *more)], {task_id: 0, team.admin: 1}, **values)


def send(desk: Desk, *appends: Append) -> list[asyncio.Task[Verdict]]:
    return [asyncio.create_task(desk.committer.append(append)) for append in appends]


async def queued() -> None:
    """Let the tasks that were just made come to where they wait."""
    await asyncio.sleep(0)


async def tasks_of(connection: Connection, team: Team) -> list[str]:
    """The tasks that were created, in the order of the log."""
    return [event.stream_id for event in await log_of(connection, team.workspace_id) if event.event == CREATED]


async def test_what_gathers_during_a_commit_is_committed_together(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with held(database, team):
        sent = send(desk, creation(team))
        await blocked(owner)
        sent += send(desk, *(creation(team) for _ in range(20)))
        await queued()
    verdicts = await asyncio.gather(*sent)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.COMMITTED}
    assert sorted(verdict.position for verdict in verdicts) == list(range(7, 28))
    cursor = await owner.execute("SELECT count(DISTINCT xmin::text) FROM events WHERE name = 'task.created'")
    row = await cursor.fetchone()
    assert row is not None
    assert row[0] <= 2  # one, where the first had to give way to the lock and waited with the others
    assert desk.announced[-1][1] == 27


async def test_a_batch_is_bounded_in_number(database: Database, owner: Connection, team: Team) -> None:
    async with Desk.open(database, max_batch=2) as desk:
        async with held(database, team):
            sent = send(desk, creation(team))
            await blocked(owner)
            sent += send(desk, *(creation(team) for _ in range(6)))
            await queued()
        await asyncio.gather(*sent)
        sizes = [after - before for before, after in pairwise([6, *(position for _, position in desk.announced)])]
        assert sum(sizes) == 7
        assert max(sizes) == 2


async def test_a_batch_is_bounded_in_bytes(database: Database, owner: Connection, team: Team) -> None:
    async with Desk.open(database, max_batch_bytes=1) as desk:
        await asyncio.gather(*send(desk, *(creation(team) for _ in range(3))))
        assert [position for _, position in desk.announced] == [7, 8, 9]


async def test_only_what_added_events_is_announced(desk: Desk, team: Team) -> None:
    (verdict,) = await asyncio.gather(*send(desk, wish(team, [], {team.admin: 1})))
    assert verdict.outcome is Outcome.COMMITTED
    assert desk.announced == []


async def test_who_waits_behind_the_one_that_moves_its_stream_is_told_at_once(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    delete = [wish(team, [Fact(task_id, TaskDeleted())], {task_id: 1}) for _ in range(3)]
    async with held(database, team):
        sent = send(desk, *delete)
        await blocked(owner)
    verdicts = await asyncio.gather(*sent)
    assert [verdict.outcome for verdict in verdicts] == [Outcome.COMMITTED, Outcome.CONFLICT, Outcome.CONFLICT]
    assert events_of(await log_of(owner, team.workspace_id), task_id) == [CREATED, TaskDeleted()]


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room(
    database: Database, owner: Connection, team: Team
) -> None:
    async with Desk.open(database, max_waiting=3) as desk:
        async with held(database, team):
            sent = send(desk, *(creation(team) for _ in range(3)))
            await blocked(owner)
            with rejected("append.queue_full", Unavailable) as refused:
                await desk.committer.append(creation(team))
            assert refused.value.retry_after >= 1
        await asyncio.gather(*sent)
        await desk.committer.append(creation(team))
    assert len(await tasks_of(owner, team)) == 4


async def test_stopping_commits_what_waits_and_refuses_what_comes(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with held(database, team):
        sent = send(desk, *(creation(team) for _ in range(5)))
        await blocked(owner)
        stopping = asyncio.create_task(desk.committer.stop())
        await queued()
        with rejected("server.stopping", Unavailable):
            await desk.committer.append(creation(team))
    await stopping
    assert {verdict.outcome for verdict in await asyncio.gather(*sent)} == {Outcome.COMMITTED}
    assert len(await tasks_of(owner, team)) == 5


async def test_stopping_waits_no_longer_than_it_may(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with held(database, team):
        sent = send(desk, *(creation(team) for _ in range(2)))
        await blocked(owner)
        await desk.committer.stop(drain_seconds=0)
        for verdict in sent:
            with rejected("store.unavailable", Unavailable):
                await verdict


async def test_a_caller_that_goes_away_takes_nothing_back(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    """Neither what is under way, nor what waits, nor what shares a batch with it."""
    gone, waits, stays = new_id(), new_id(), new_id()
    async with held(database, team):
        sent = send(desk, creation(team, gone))
        await blocked(owner)
        sent += send(desk, creation(team, waits), creation(team, stays))
        await queued()
        for caller in sent[:2]:
            caller.cancel()
        await asyncio.gather(*sent[:2], return_exceptions=True)
    assert (await sent[2]).outcome is Outcome.COMMITTED
    assert await tasks_of(owner, team) == [gone, waits, stays]


async def test_who_waits_too_long_is_told_so_and_may_still_be_committed(
    database: Database, owner: Connection, team: Team
) -> None:
    async with Desk.open(database, wait_seconds=0.02) as desk:
        task_id = new_id()
        async with held(database, team):
            with rejected("store.unavailable", Unavailable):
                await desk.committer.append(creation(team, task_id))
    assert await tasks_of(owner, team) == [task_id]  # the queue was drained when the desk closed


async def test_an_append_that_the_database_refuses_takes_no_other_with_it(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with held(database, team):
        first = send(desk, creation(team))
        await blocked(owner)
        bad = send(desk, creation(team, key="k" * 300))
        good = send(desk, *(creation(team) for _ in range(3)))
        await queued()
    with pytest.raises(psycopg.errors.CheckViolation):
        await bad[0]
    verdicts = await asyncio.gather(*first, *good)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.COMMITTED}
    assert len(await tasks_of(owner, team)) == 4
    assert (await desk.committer.append(creation(team))).outcome is Outcome.COMMITTED


async def test_an_append_that_cannot_be_written_down_takes_no_other_with_it(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with held(database, team):
        first = send(desk, creation(team))
        await blocked(owner)
        sent = send(desk, creation(team, command_id="no uuid"), creation(team, key="\ud800"), creation(team))
        await queued()
    results = await asyncio.gather(*first, *sent, return_exceptions=True)
    assert [isinstance(result, Verdict) for result in results] == [True, False, False, True]


async def test_a_workspace_whose_log_is_locked_holds_up_no_other(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    elsewhere = await found(owner)
    async with held(database, team):
        (slow,) = send(desk, creation(team))
        await blocked(owner)
        for _ in range(5):
            assert (await desk.committer.append(creation(elsewhere))).outcome is Outcome.COMMITTED
        assert not slow.done()
    assert (await slow).outcome is Outcome.COMMITTED


async def test_any_number_of_locked_workspaces_hold_up_no_other(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    """More than there are connections: each gives its own back after a while."""
    locked = [await found(owner) for _ in range(6)]
    async with AsyncExitStack() as stack:
        for each in locked:
            await stack.enter_async_context(held(database, each))
        slow = send(desk, *(creation(each) for each in locked))
        await blocked(owner)
        for _ in range(3):
            assert (await desk.committer.append(creation(team))).outcome is Outcome.COMMITTED
        assert not any(verdict.done() for verdict in slow)
    assert {verdict.outcome for verdict in await asyncio.gather(*slow)} == {Outcome.COMMITTED}


async def test_what_gave_way_to_a_lock_goes_before_what_came_later(
    database: Database, owner: Connection, team: Team
) -> None:
    async with Desk.open(database, max_batch=1) as desk:
        async with held(database, team):
            sent = send(desk, creation(team))
            await gave_way(owner)
            sent += send(desk, *(creation(team) for _ in range(3)))
            await queued()
        verdicts = await asyncio.gather(*sent)
    assert [verdict.position for verdict in verdicts] == [7, 8, 9, 10]


async def test_a_second_batch_goes_out_while_the_first_is_in_the_database(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with held(database, team):
        sent = send(desk, *(creation(team) for _ in range(2 * WORTH_A_SECOND)))
        await blocked(owner, 2)
    verdicts = await asyncio.gather(*sent)
    assert sorted(verdict.position for verdict in verdicts) == list(range(7, 7 + len(sent)))


async def test_two_batches_under_way_share_no_stream(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    """Every second one writes a stream of the first half again: it waits until that has its verdict, and loses."""
    tasks = [new_id() for _ in range(2 * WORTH_A_SECOND)]
    async with held(database, team):
        sent = send(desk, *(creation(team, id_) for id_ in tasks), *(creation(team, id_) for id_ in tasks))
        await blocked(owner)
    outcomes = [verdict.outcome for verdict in await asyncio.gather(*sent)]
    assert outcomes == [Outcome.COMMITTED] * len(tasks) + [Outcome.CONFLICT] * len(tasks)
    assert sorted(await tasks_of(owner, team)) == sorted(tasks)


async def test_workspaces_take_turns(database: Database, owner: Connection, team: Team) -> None:
    """Who has one append waits for one batch of the workspace that has fifty, not for all of them."""
    elsewhere = await found(owner)
    async with Desk.open(database, connections=1, max_batch=1) as desk:
        sent = send(desk, *(creation(team) for _ in range(50)), creation(elsewhere))
        await asyncio.gather(*sent)
        order = [workspace_id for workspace_id, _ in desk.announced]
    assert len(order) == 51
    assert order.index(elsewhere.workspace_id) <= 1


async def test_a_database_that_is_away_is_waited_for(database: Database, owner: Connection, team: Team) -> None:
    connect = connector(database.serving_url)
    nowhere = connector(database.serving_url.replace("/test_", "/no_"))
    tries: list[int] = []

    async def at_the_third_try() -> Connection:
        tries.append(1)
        return await (connect if len(tries) == 3 else nowhere)()

    async with Desk.open(database, connect=at_the_third_try) as desk:
        assert (await desk.committer.append(creation(team))).outcome is Outcome.COMMITTED
    assert len(tries) == 3
    assert len(await tasks_of(owner, team)) == 1
