"""Batches on a real database: what others do meanwhile, what is kept under keys, and cuts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import pytest

from commands.batch import TOGETHER, Batches, Committed, key_of
from commands.deciding import Command
from commands.execute import MOST_ATTEMPTS, Call
from commands.ids import new_id
from commands.staging import Stage
from commands.task import AssignTask, CreateTask, EditTask, MoveTask
from domain import failpoints
from domain.errors import Conflict, Invalid, Rejection, Unavailable
from domain.task import Task
from tests.commands.desk import Desk, Team, events_of, log_of
from tests.domain.given import person
from tests.house import Database

Connection = psycopg.AsyncConnection[Any]


def batches(desk: Desk) -> Batches:
    return Batches(desk.store, desk.streams, desk.committer, desk.executor)


def call_of(team: Team, key: str | None = None, by: str | None = None, **more: Any) -> Call:
    return Call(team.workspace_id, by or team.admin, "a request", key, "ab" * 32 if key else "", **more)


class Deciding:
    """Puts the same commands on every stage; `meanwhile` happens after that, before it is committed."""

    def __init__(self, team: Team, commands: Sequence[Command], key: str | None = None, meanwhile: Any = None) -> None:
        self.calls = [call_of(team, key_of(key, place)) for place in range(len(commands))]
        self.commands = commands
        self.meanwhile = meanwhile
        self.tries = 0
        self.refused: list[Rejection] = []

    async def __call__(self, stage: Stage) -> bool:
        self.tries += 1
        self.refused = []
        for command, call in zip(self.commands, self.calls, strict=True):
            try:
                await stage.take(command, call)
            except Rejection as rejection:
                self.refused.append(rejection)
        if self.meanwhile is not None:
            await self.meanwhile(self.tries)
        return True


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Desk]:
    """Another process."""
    async with Desk.open(database) as desk:
        yield desk


async def test_commands_go_in_by_one_append_each_with_its_own_cause(desk: Desk, team: Team, owner: Connection) -> None:
    first, second = new_id(), new_id()
    deciding = Deciding(team, [CreateTask(first, "a"), CreateTask(second, "b"), MoveTask(first, "start")])
    before = desk.committer.counts.committed
    done = await batches(desk).commit(call_of(team), deciding)
    assert done is not None
    assert desk.committer.counts.committed == before + 1
    assert [(receipt.stream_id, receipt.version) for receipt in done.receipts] == [(first, 1), (second, 1), (first, 2)]
    assert [receipt.position for receipt in done.receipts] == [done.position - 2, done.position - 1, done.position]
    log = await log_of(owner, team.workspace_id)
    assert [event.meta.causation_id for event in log[-3:]] == [call.command_id for call in deciding.calls]
    state = done.receipts[-1].state
    assert state == desk.streams.get(team.workspace_id, first).state  # type: ignore[union-attr]
    assert isinstance(state, Task)
    assert (state.position, state.updated_at) == (done.position, log[-1].recorded_at)


async def test_what_others_change_meanwhile_makes_all_be_decided_anew(
    desk: Desk, other: Desk, team: Team, owner: Connection
) -> None:
    task_id, new = await desk.task(team), new_id()

    async def meanwhile(tries: int) -> None:
        if tries == 1:
            await other.do(team, team.admin, MoveTask(task_id, "start"))

    deciding = Deciding(team, [CreateTask(new, "a"), MoveTask(task_id, "start")], meanwhile=meanwhile)
    done = await batches(desk).commit(call_of(team), deciding)
    assert deciding.tries == 2
    assert [refused.code for refused in deciding.refused] == ["task.illegal_move"]
    assert done is not None
    assert [receipt.stream_id for receipt in done.receipts] == [new]
    assert len(events_of(await log_of(owner, team.workspace_id), new)) == 1


async def test_a_refusal_that_is_no_longer_true_is_none(desk: Desk, other: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    await desk.do(team, team.admin, MoveTask(task_id, "start"))

    async def meanwhile(tries: int) -> None:
        if tries == 1:
            await other.do(team, team.admin, MoveTask(task_id, "pause"))

    deciding = Deciding(team, [MoveTask(task_id, "start")], meanwhile=meanwhile)
    done = await batches(desk).commit(call_of(team), deciding)
    assert (deciding.tries, deciding.refused) == (2, [])
    assert done is not None
    assert len(done.receipts) == 1


async def test_who_loses_each_time_is_told_so_or_goes_one_by_one(desk: Desk, other: Desk, team: Team) -> None:
    task_id = await desk.task(team)

    async def meanwhile(tries: int) -> None:
        await other.do(team, team.admin, EditTask(task_id, title=f"{tries} {new_id()}"))

    deciding = Deciding(team, [MoveTask(task_id, "start")], meanwhile=meanwhile)
    assert await batches(desk).commit(call_of(team), deciding, TOGETHER) is None
    assert deciding.tries == TOGETHER
    with pytest.raises(Unavailable, match="128 times") as raised:
        await batches(desk).commit(call_of(team), deciding)
    assert (raised.value.code, deciding.tries) == ("conflict.busy", TOGETHER + MOST_ATTEMPTS)


async def test_each_command_of_a_batch_is_known_again_by_its_own_key(desk: Desk, other: Desk, team: Team) -> None:
    task_id = new_id()
    commands: list[Command] = [
        CreateTask(task_id, "a"),
        EditTask(task_id, title="a"),
        AssignTask(task_id, person(team.member)),
    ]
    deciding = Deciding(team, commands, "k")
    done = await batches(desk).commit(call_of(team, "k"), deciding)
    assert done is not None
    assert await batches(other).is_known(call_of(team, "k"))
    for command, call, receipt in zip(commands, deciding.calls, done.receipts, strict=True):
        again = await other.executor.execute(command, call)
        assert again == receipt._replace(replayed=True)
    assert await batches(other).commit(call_of(team, "k"), Deciding(team, commands, "k")) is None
    with pytest.raises(Invalid) as raised:
        await batches(desk).is_known(Call(team.workspace_id, team.admin, "a request", "k", "cd" * 32))
    assert raised.value.code == "idempotency.key_reused"
    assert not await batches(desk).is_known(call_of(team, "k", by=team.member))


@pytest.mark.parametrize("place", [failpoints.BATCH_DECIDED, failpoints.COMMITTER_COMMITTED, failpoints.BATCH_APPENDED])
async def test_a_batch_that_is_cut_off_is_done_wholly_or_not_at_all(
    desk: Desk, team: Team, owner: Connection, place: str
) -> None:
    task_id = new_id()
    commands: list[Command] = [CreateTask(task_id, "a"), MoveTask(task_id, "start")]

    def cut(name: str) -> None:
        if name == place:
            failpoints.install(None)
            raise psycopg.OperationalError("cut")

    failpoints.install(cut)
    done: Committed | None = None
    try:
        done = await batches(desk).commit(call_of(team, "k"), Deciding(team, commands, "k"))
    except psycopg.OperationalError:
        assert place != failpoints.COMMITTER_COMMITTED, "the committer sends the same again"
    finally:
        failpoints.install(None)
    assert await batches(desk).is_known(call_of(team, "k")) is (place != failpoints.BATCH_DECIDED)
    if done is None and place == failpoints.BATCH_DECIDED:
        done = await batches(desk).commit(call_of(team, "k"), Deciding(team, commands, "k"))
        assert done is not None
    assert len(events_of(await log_of(owner, team.workspace_id), task_id)) == 2


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_commit_whose_answer_was_lost_is_found_again_with_all_its_receipts(
    desk: Desk, team: Team, owner: Connection, key: str | None
) -> None:
    task_id, other_id = await desk.task(team), new_id()

    def cut(name: str) -> None:
        if name == failpoints.COMMITTER_COMMITTED:
            failpoints.install(None)
            raise psycopg.OperationalError("cut")

    same = EditTask(task_id, title="write")
    deciding = Deciding(
        team, [same, MoveTask(task_id, "start"), CreateTask(other_id, "a", assignee=person(team.member))], key
    )
    failpoints.install(cut)
    try:
        done = await batches(desk).commit(call_of(team, key), deciding)
    finally:
        failpoints.install(None)
    assert desk.committer.counts.resent == 1
    assert done is not None
    log = await log_of(owner, team.workspace_id)
    assert done.position == len(log)
    assert [receipt.position for receipt in done.receipts] == [len(log) - 3, len(log) - 2, len(log)]
    assert [receipt.version for receipt in done.receipts] == [1, 2, 2]
    assert [len(events_of(log, each)) for each in (task_id, other_id)] == [2, 2]


async def test_what_is_too_much_for_one_append_goes_one_by_one_or_is_refused(
    desk: Desk, team: Team, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.batch.EVENTS_MAX", 2)
    deciding = Deciding(team, [CreateTask(new_id(), title) for title in "abc"])
    before = await log_of(owner, team.workspace_id)
    assert await batches(desk).commit(call_of(team), deciding, TOGETHER) is None
    with pytest.raises(Conflict) as raised:
        await batches(desk).commit(call_of(team), deciding)
    assert (raised.value.code, raised.value.extra) == ("batch.too_large", {"events": 3, "most": 2})
    assert await log_of(owner, team.workspace_id) == before


async def test_two_batches_that_write_the_same_do_not_wait_for_each_other_for_ever(
    desk: Desk, other: Desk, team: Team
) -> None:
    """Each has turns on what it lost over, in one order."""
    task_ids = [await desk.task(team) for _ in range(5)]
    wanted = [*task_ids, *reversed(task_ids)]

    async def edit(where: Desk, number: int) -> Committed | None:
        edits = [EditTask(task_id, title=f"{number} {place}") for place, task_id in enumerate(wanted)]
        return await batches(where).commit(call_of(team), Deciding(team, edits))

    async with asyncio.timeout(20):
        done = await asyncio.gather(*(edit((desk, other)[number % 2], number) for number in range(12)))
    assert all(each is not None and len(each.receipts) == 10 for each in done)
