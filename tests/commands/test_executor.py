"""Load, decide, append: stale memory, preconditions, contention, and people whose rights change meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from commands.appending import Append, Verdict
from commands.attachment import MayAttach
from commands.execute import MOST_ATTEMPTS, Call
from commands.ids import new_id
from commands.options import options
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.user import ChangeRole
from domain.errors import Conflict, Forbidden, NotFound, Stale, Unauthenticated, Unavailable
from domain.user import Role
from tests.commands.desk import Connection, Desk, Team, as_task, blocked, held, log_of, states
from tests.domain.given import person, rejected
from tests.house import Database


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Desk]:
    """Another process: it changes what this one has in memory."""
    async with Desk.open(database) as desk:
        yield desk


async def test_a_receipt_says_what_the_log_says(desk: Desk, owner: Connection, team: Team) -> None:
    task_id = new_id()
    receipt = await desk.do(team, team.admin, CreateTask(task_id, "write", assignee=person(team.member)))
    log = await log_of(owner, team.workspace_id)
    assert (receipt.stream_id, receipt.version, receipt.position) == (task_id, 2, len(log))
    assert receipt.state == states(log)[task_id, 2]
    nothing = await desk.do(team, team.member, AssignTask(task_id, person(team.member)))
    assert (nothing.version, nothing.position, nothing.state) == (2, len(log), receipt.state)
    assert len(await log_of(owner, team.workspace_id)) == len(log)


async def test_a_command_of_several_streams_answers_for_its_own(desk: Desk, owner: Connection, team: Team) -> None:
    receipt = await desk.do(team, team.admin, ChangeRole(team.member, Role.ADMIN))
    log = await log_of(owner, team.workspace_id)
    assert (receipt.stream_id, receipt.version, receipt.position) == (team.member, 2, len(log))
    assert [event.stream_id for event in log[-2:]] == [team.member, team.workspace_id]


async def test_memory_that_is_behind_refuses_nobody(desk: Desk, other: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    await desk.do(team, team.admin, MoveTask(task_id, "complete"))
    await other.do(team, team.admin, MoveTask(task_id, "reopen"))
    assert (await desk.do(team, team.admin, MoveTask(task_id, "start"))).version == 4
    await other.do(team, team.admin, DeleteTask(task_id))
    await other.do(team, team.admin, RestoreTask(task_id))
    assert (await desk.do(team, team.admin, MoveTask(task_id, "pause"))).version == 7


async def test_a_check_is_by_the_log_and_does_nothing(desk: Desk, other: Desk, owner: Connection, team: Team) -> None:
    """Also where memory is behind."""
    task_id = await desk.task(team)
    call = Call(team.workspace_id, team.member, "a request")
    with rejected("task.not_found"):
        await other.executor.foresee(MayAttach(task_id), call)
    await desk.do(team, team.admin, AssignTask(task_id, person(team.member)))
    head = len(await log_of(owner, team.workspace_id))
    await other.executor.foresee(MayAttach(task_id), call)
    await desk.do(team, team.admin, AssignTask(task_id, person(team.other)))
    with rejected("task.not_found"):
        await desk.executor.foresee(MayAttach(task_id), call)
    assert len(await log_of(owner, team.workspace_id)) == head + 1


async def test_memory_that_is_behind_hides_nothing(desk: Desk, other: Desk, team: Team) -> None:
    """What was not there, not visible or not allowed a moment ago is looked at again."""
    task_id = new_id()
    with rejected("task.not_found", NotFound):
        await desk.do(team, team.member, MoveTask(task_id, "start"))
    await other.do(team, team.admin, CreateTask(task_id, "write"))
    with rejected("task.not_found", NotFound):
        await desk.do(team, team.member, MoveTask(task_id, "start"))
    await other.do(team, team.admin, AssignTask(task_id, person(team.member)))
    assert (await desk.do(team, team.member, MoveTask(task_id, "start"))).version == 3
    command = MoveTask(task_id, "pause")
    with rejected("auth.forbidden", Forbidden):
        await desk.do(team, team.auditor, command)
    await other.do(team, team.admin, ChangeRole(team.auditor, Role.MANAGER))
    assert (await desk.do(team, team.auditor, command)).version == 4


async def test_memory_that_is_behind_takes_no_change_for_a_no_op(desk: Desk, other: Desk, team: Team) -> None:
    task_id = await desk.task(team, assignee=person(team.member))
    await other.do(team, team.admin, UnassignTask(task_id))
    receipt = await desk.do(team, team.admin, AssignTask(task_id, person(team.member)))
    assert receipt.version == 4
    assert as_task(receipt.state).assignee is not None


async def test_a_question_is_answered_from_the_log_whatever_is_in_memory(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)

    async def possible(by: str) -> list[str]:
        found = await desk.executor.ask(lambda context: options(context, task_id), team.workspace_id, by)
        return [item.move for item in found.items if item.why_not is None]

    assert await possible(team.manager) == ["cancel", "complete", "start"]
    await other.do(team, team.admin, MoveTask(task_id, "complete"))
    assert await possible(team.manager) == ["reopen"]
    await other.do(team, team.admin, ChangeRole(team.manager, Role.AUDITOR))
    assert await possible(team.manager) == []
    await other.do(team, team.admin, DeleteTask(task_id))
    with rejected("task.not_found", NotFound):
        await possible(team.manager)
    assert len(await log_of(owner, team.workspace_id)) == 10


async def test_memory_that_is_ahead_of_a_restored_log_is_thrown_away(desk: Desk, owner: Connection, team: Team) -> None:
    task_id = await desk.task(team)
    await desk.do(team, team.admin, EditTask(task_id, title="lost"))
    await owner.execute("ALTER TABLE events DISABLE TRIGGER no_delete")
    await owner.execute("DELETE FROM events WHERE workspace_id = %s AND position = 8", (team.workspace_id,))
    await owner.execute("UPDATE logs SET position = 7 WHERE workspace_id = %s", (team.workspace_id,))
    receipt = await desk.do(team, team.admin, MoveTask(task_id, "start"))
    assert (receipt.version, as_task(receipt.state).title) == (2, "write")


async def test_who_is_unknown_may_nothing(desk: Desk, team: Team) -> None:
    with rejected("auth.unknown_user", Unauthenticated):
        await desk.do(team, new_id(), CreateTask(new_id(), "write"))


async def test_if_match_lets_the_named_versions_pass(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    assert (await desk.do(team, team.admin, EditTask(task_id, title="a"), if_match=frozenset({1}))).version == 2
    assert (await desk.do(team, team.admin, EditTask(task_id, title="b"), if_match=frozenset({7, 2}))).version == 3


async def test_if_match_refuses_and_says_what_changed_by_whom_and_when(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    await other.do(team, team.manager, EditTask(task_id, title="new", tags=("a",)))
    await other.do(team, team.admin, MoveTask(task_id, "start"))
    before = await log_of(owner, team.workspace_id)
    with rejected("precondition.failed", Stale) as refused:
        await desk.do(team, team.admin, EditTask(task_id, title="x"), if_match=frozenset({1}))
    edited, started = before[-2:]
    assert refused.value.extra == {
        "current_version": 3,
        "changed": [
            {"field": "title", "by": team.manager, "at": edited.recorded_at, "version": 2},
            {"field": "tags", "by": team.manager, "at": edited.recorded_at, "version": 2},
            {"field": "status", "by": team.admin, "at": started.recorded_at, "version": 3},
            {"field": "category", "by": team.admin, "at": started.recorded_at, "version": 3},
        ],
    }
    assert await log_of(owner, team.workspace_id) == before


async def test_if_match_of_a_version_that_was_never_there_is_refused(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    with rejected("precondition.failed", Stale) as refused:
        await desk.do(team, team.admin, EditTask(task_id, title="x"), if_match=frozenset({9}))
    assert refused.value.extra == {"current_version": 1, "changed": []}


async def test_if_match_comes_before_the_rules_and_after_what_may_be_seen(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    await desk.do(team, team.admin, MoveTask(task_id, "start"))
    stale = frozenset({1})
    with rejected("precondition.failed", Stale):
        await desk.do(team, team.admin, MoveTask(task_id, "start"), if_match=stale)
    with rejected("task.illegal_move", Conflict):
        await desk.do(team, team.admin, MoveTask(task_id, "start"), if_match=frozenset({2}))
    with rejected("task.not_found", NotFound):
        await desk.do(team, team.other, MoveTask(task_id, "pause"), if_match=stale)
    with rejected("auth.forbidden", Forbidden):
        await desk.do(team, team.auditor, MoveTask(task_id, "pause"), if_match=stale)


async def test_if_match_refuses_a_no_op_too(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    with rejected("precondition.failed", Stale):
        await desk.do(team, team.admin, EditTask(task_id), if_match=frozenset({7}))


async def test_if_match_in_memory_that_is_behind_is_judged_by_the_log(desk: Desk, other: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    await other.do(team, team.admin, EditTask(task_id, title="new"))
    receipt = await desk.do(team, team.admin, EditTask(task_id, title="newer"), if_match=frozenset({2}))
    assert receipt.version == 3


async def test_who_is_always_too_late_is_told_to_come_back(
    desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    tries: list[Append] = []

    async def after_somebody_else(append: Append) -> Verdict:
        tries.append(append)
        await other.do(team, team.admin, EditTask(task_id, title=f"title {len(tries)}"))
        return await desk.committer.append(append)

    call = Call(team.workspace_id, team.admin, "a request")
    with rejected("conflict.busy", Unavailable) as refused:
        await desk.executor.execute(MoveTask(task_id, "start"), call, after_somebody_else)
    assert refused.value.retry_after >= 1
    assert len(tries) == MOST_ATTEMPTS
    assert len(await log_of(owner, team.workspace_id)) == 7 + MOST_ATTEMPTS
    assert len({append.command_id for append in tries}) == 1


async def test_a_demotion_that_commits_first_wins_over_a_command_in_flight(
    database: Database, desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    await desk.do(team, team.manager, EditTask(task_id, title="as a manager"))
    async with held(database, team):
        demotion = asyncio.create_task(other.do(team, team.admin, ChangeRole(team.manager, Role.AUDITOR)))
        await blocked(owner)
        edit = asyncio.create_task(desk.do(team, team.manager, EditTask(task_id, title="still?")))
        await blocked(owner, 2)
    assert (await demotion).version == 2
    with rejected("auth.forbidden", Forbidden):
        await edit
    assert as_task(await desk.streams.current(team.workspace_id, task_id, 0)).title == "as a manager"


async def test_an_unassignment_that_commits_first_wins_over_the_assignees_command_in_flight(
    database: Database, desk: Desk, other: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team, assignee=person(team.member))
    async with held(database, team):
        unassign = asyncio.create_task(other.do(team, team.admin, UnassignTask(task_id)))
        await blocked(owner)
        start = asyncio.create_task(desk.do(team, team.member, MoveTask(task_id, "start")))
        await blocked(owner, 2)
    await unassign
    with rejected("task.not_found", NotFound):
        await start


async def test_commands_on_one_stream_take_turns_and_do_not_conflict(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    edits = (EditTask(task_id, title=f"title {n}") for n in range(MOST_ATTEMPTS * 2))
    receipts = await asyncio.gather(*(desk.do(team, team.admin, edit) for edit in edits))
    assert [receipt.version for receipt in receipts] == list(range(2, MOST_ATTEMPTS * 2 + 2))


async def test_a_caller_that_goes_away_while_waiting_for_its_turn_leaves_no_trace(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    async with held(database, team):
        first = asyncio.create_task(desk.do(team, team.admin, EditTask(task_id, title="first")))
        await blocked(owner)
        gone = asyncio.create_task(desk.do(team, team.admin, EditTask(task_id, title="gone")))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    await first
    last = await desk.do(team, team.admin, EditTask(task_id, description="last"))
    assert (last.version, as_task(last.state).title) == (3, "first")
