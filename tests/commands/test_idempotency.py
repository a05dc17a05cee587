"""A command that is sent again under its key has one effect and one answer, for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from commands.deciding import Command
from commands.execute import Receipt
from commands.ids import new_id
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask
from commands.user import ChangeRole
from domain.errors import Conflict, Invalid
from domain.user import Role
from tests.commands.desk import Connection, Desk, Team, as_task, found, log_of
from tests.domain.given import person, rejected
from tests.house import Database

TIMES = 10


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Desk]:
    """Another process, or the same one after a restart: with nothing in memory."""
    async with Desk.open(database) as desk:
        yield desk


def same(receipts: list[Receipt]) -> Receipt:
    """Assert that all say the same and all but one say that they repeat it."""
    first = next(receipt for receipt in receipts if not receipt.replayed)
    for receipt in receipts:
        assert (receipt.stream_id, receipt.version, receipt.position, receipt.state) == (
            first.stream_id,
            first.version,
            first.position,
            first.state,
        )
    assert sum(receipt.replayed for receipt in receipts) == len(receipts) - 1
    return first


@pytest.mark.parametrize("if_match", [None, frozenset({1})])
@pytest.mark.parametrize("kind", ["start", "edit", "assign", "delete"])
async def test_ten_parallel_retries_have_one_effect_and_ten_equal_answers(
    desk: Desk, other: Desk, owner: Connection, team: Team, kind: str, if_match: frozenset[int] | None
) -> None:
    task_id = await desk.task(team)
    commands: dict[str, Command] = {
        "start": MoveTask(task_id, "start"),
        "edit": EditTask(task_id, title="new"),
        "assign": AssignTask(task_id, person(team.member)),
        "delete": DeleteTask(task_id),
    }
    before = len(await log_of(owner, team.workspace_id))
    receipts = await asyncio.gather(
        *(
            (desk, other)[n % 2].do(team, team.admin, commands[kind], key="k", fingerprint="0a", if_match=if_match)
            for n in range(TIMES)
        )
    )
    assert same(receipts).version == 2
    assert len(await log_of(owner, team.workspace_id)) == before + 1


async def test_ten_parallel_creations_under_one_key_make_one_task(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    """Each try has made a new id for the task; the answer names the one that is."""
    before = len(await log_of(owner, team.workspace_id))
    receipts = await asyncio.gather(
        *(
            (desk, other)[n % 2].do(team, team.member, CreateTask(new_id(), "write"), key="k", fingerprint="0a")
            for n in range(TIMES)
        )
    )
    first = same(receipts)
    log = await log_of(owner, team.workspace_id)
    assert [event.stream_id for event in log[before:]] == [first.stream_id]


async def test_a_retry_long_after_answers_what_was_answered_then(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    command = MoveTask(task_id, "start")
    first = await desk.do(team, team.admin, command, key="k", fingerprint="0a", if_match=frozenset({1}))
    for move in ("complete", "reopen"):
        await desk.do(team, team.admin, MoveTask(task_id, move))
    await desk.do(team, team.admin, DeleteTask(task_id))
    before = await log_of(owner, team.workspace_id)
    for later in (desk, other):
        again = await later.do(team, team.admin, command, key="k", fingerprint="0a", if_match=frozenset({1}))
        assert same([first, again]) == first
        assert as_task(again.state).status == "in_progress"
    assert await log_of(owner, team.workspace_id) == before


async def test_a_no_op_is_answered_the_same_later(desk: Desk, other: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    first = await desk.do(team, team.admin, EditTask(task_id, title="write"), key="k")
    assert first.version == 1
    await desk.do(team, team.admin, EditTask(task_id, title="other"))
    again = await other.do(team, team.admin, EditTask(task_id, title="write"), key="k")
    assert same([first, again]).version == 1
    assert as_task((await other.do(team, team.admin, EditTask(task_id))).state).title == "other"


async def test_a_rejected_command_is_decided_anew(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    with rejected("task.illegal_move", Conflict):
        await desk.do(team, team.admin, MoveTask(task_id, "pause"), key="k")
    await desk.do(team, team.admin, MoveTask(task_id, "start"))
    receipt = await desk.do(team, team.admin, MoveTask(task_id, "pause"), key="k")
    assert (receipt.version, receipt.replayed) == (3, False)


async def test_a_key_with_another_request_is_refused_and_changes_nothing(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    await desk.do(team, team.admin, MoveTask(task_id, "start"), key="k", fingerprint="0a")
    before = await log_of(owner, team.workspace_id)
    for later in (desk, other):
        with rejected("idempotency.key_reused", Invalid) as refused:
            await later.do(team, team.admin, MoveTask(task_id, "complete"), key="k", fingerprint="0b")
        assert refused.value.extra["errors"][0]["value"] == "k"
    assert await log_of(owner, team.workspace_id) == before


async def test_of_two_requests_at_once_under_one_key_one_is_refused(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    tasks = [await desk.task(team) for _ in range(2)]
    results = await asyncio.gather(
        desk.do(team, team.admin, MoveTask(tasks[0], "start"), key="k", fingerprint="0a"),
        other.do(team, team.admin, MoveTask(tasks[1], "start"), key="k", fingerprint="0b"),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Invalid", "Receipt"]
    assert len(await log_of(owner, team.workspace_id)) == 6 + 2 + 1


async def test_a_key_belongs_to_one_user_and_one_workspace(desk: Desk, owner: Connection, team: Team) -> None:
    elsewhere = await found(owner)
    for one, by in ((team, team.admin), (team, team.manager), (elsewhere, elsewhere.admin)):
        receipt = await desk.do(one, by, CreateTask(new_id(), "write"), key="k", fingerprint="0a")
        assert not receipt.replayed


async def test_a_clients_key_is_no_commands_id(desk: Desk, team: Team) -> None:
    """A client that sends the id of somebody's command as its key gets nothing of it."""
    command_id = new_id()
    await desk.do(team, team.admin, CreateTask(new_id(), "write"), command_id=command_id)
    for key in (command_id, f"id:{command_id}"):
        receipt = await desk.do(team, team.admin, CreateTask(new_id(), "write"), key=key)
        assert not receipt.replayed


async def test_a_change_of_role_is_answered_once_too(desk: Desk, other: Desk, team: Team) -> None:
    command = ChangeRole(team.member, Role.MANAGER)
    receipts = await asyncio.gather(
        *((desk, other)[n % 2].do(team, team.admin, command, key="k") for n in range(TIMES))
    )
    assert same(receipts).version == 2
