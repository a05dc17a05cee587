"""The append function of the database: verdicts, positions, versions, times, keys and bytes."""

import re
from datetime import datetime

import psycopg
import pytest

from commands import event_store
from commands.appending import Append, Fact, Outcome, Verdict
from commands.ids import new_id
from domain.events import Event, encode
from domain.task import TaskCreated, TaskDeleted, TaskEdited, TaskRestored
from domain.user import Role, UserRoleChanged
from domain.workflow import Category
from tests.commands.desk import Connection, Team, events_of, found, log_of, wish

CREATED = TaskCreated(title="write", status="todo", category=Category.OPEN)


def creation(team: Team, task_id: str, *more: Event, **values: str) -> Append:
    return wish(team, [Fact(task_id, event) for event in (CREATED, *more)], {task_id: 0, team.admin: 1}, **values)


def edit(team: Team, task_id: str, version: int, title: str = "new", **values: str) -> Append:
    return wish(team, [Fact(task_id, TaskEdited(title=title))], {task_id: version, team.admin: 1}, **values)


async def outcomes(connection: Connection, *batch: Append) -> list[Outcome]:
    return [verdict.outcome for verdict in await event_store.append(connection, batch)]


async def test_positions_and_versions_are_dense_over_streams_and_batches(serving: Connection, team: Team) -> None:
    one, two = new_id(), new_id()
    start = len(await log_of(serving, team.workspace_id))
    batch = [creation(team, one, TaskEdited(title="a")), creation(team, two)]
    first, second = await event_store.append(serving, batch)
    assert (first.position, second.position) == (start + 2, start + 3)
    both = wish(team, [Fact(two, TaskDeleted()), Fact(one, TaskDeleted()), Fact(two, TaskRestored())], {one: 2, two: 1})
    (third,) = await event_store.append(serving, [both])
    assert third.position == start + 6
    log = await log_of(serving, team.workspace_id)
    assert [(event.stream_id, event.version) for event in log[start:]] == [
        *((one, 1), (one, 2), (two, 1)),
        *((two, 2), (one, 3), (two, 3)),
    ]
    assert both.version == 3


async def test_an_event_carries_who_caused_it_and_by_what(serving: Connection, team: Team) -> None:
    append = creation(team, new_id())
    (verdict,) = await event_store.append(serving, [append])
    logged = (await log_of(serving, team.workspace_id))[-1]
    assert (logged.meta, logged.event, logged.recorded_at) == (append.meta, CREATED, verdict.recorded_at)


async def test_a_loser_is_reported_alone_and_the_rest_go_on(serving: Connection, team: Team) -> None:
    one, two = new_id(), new_id()
    await outcomes(serving, creation(team, one))
    late = edit(team, one, 7)
    assert await outcomes(serving, creation(team, two), late, creation(team, new_id())) == [
        Outcome.COMMITTED,
        Outcome.CONFLICT,
        Outcome.COMMITTED,
    ]
    assert events_of(await log_of(serving, team.workspace_id), one) == [CREATED]


@pytest.mark.parametrize("seen", [1, 2])
async def test_the_first_version_of_a_new_stream_is_checked(serving: Connection, team: Team, seen: int) -> None:
    task_id = new_id()
    assert await outcomes(serving, edit(team, task_id, seen)) == [Outcome.CONFLICT]
    assert await outcomes(serving, creation(team, task_id)) == [Outcome.COMMITTED]
    assert await outcomes(serving, creation(team, task_id)) == [Outcome.CONFLICT]


@pytest.mark.parametrize("seen", [0, 2, 3])
async def test_a_version_that_is_not_the_current_one_loses(serving: Connection, team: Team, seen: int) -> None:
    task_id = new_id()
    await outcomes(serving, creation(team, task_id))
    assert await outcomes(serving, edit(team, task_id, seen)) == [Outcome.CONFLICT]
    assert await outcomes(serving, edit(team, task_id, 1)) == [Outcome.COMMITTED]


async def test_a_stream_that_is_only_read_is_an_expectation_too(serving: Connection, team: Team) -> None:
    task_id = new_id()
    promoted = wish(team, [Fact(team.admin, UserRoleChanged(role=Role.AUDITOR))], {team.admin: 1})
    assert await outcomes(serving, promoted) == [Outcome.COMMITTED]
    assert await outcomes(serving, creation(team, task_id)) == [Outcome.CONFLICT]
    moved_on = wish(team, [Fact(task_id, CREATED)], {task_id: 0, team.admin: 2})
    assert await outcomes(serving, moved_on) == [Outcome.COMMITTED]


async def test_no_events_are_a_verdict_on_what_was_read(serving: Connection, team: Team) -> None:
    before = await log_of(serving, team.workspace_id)
    (true,) = await event_store.append(serving, [wish(team, [], {team.admin: 1})])
    assert (true.outcome, true.position) == (Outcome.COMMITTED, len(before))
    assert await outcomes(serving, wish(team, [], {team.admin: 2})) == [Outcome.CONFLICT]
    assert await log_of(serving, team.workspace_id) == before


async def test_the_same_id_again_is_committed_at_its_first_position(serving: Connection, team: Team) -> None:
    append = creation(team, new_id())
    (first,) = await event_store.append(serving, [append])
    await outcomes(serving, creation(team, new_id()))
    (again,) = await event_store.append(serving, [append])
    assert again.outcome is Outcome.COMMITTED
    assert (again.position, again.recorded_at) == (first.position, first.recorded_at)
    assert len(events_of(await log_of(serving, team.workspace_id), append.stream_id)) == 1


async def test_the_same_id_again_is_known_by_its_events_in_every_stream(serving: Connection, team: Team) -> None:
    one, two = new_id(), new_id()
    await outcomes(serving, creation(team, one), creation(team, two))
    facts = [Fact(two, TaskDeleted()), Fact(one, TaskDeleted()), Fact(two, TaskRestored())]
    append = wish(team, facts, {one: 1, two: 1, team.admin: 1})
    (first,) = await event_store.append(serving, [append])
    await outcomes(serving, wish(team, [Fact(one, TaskRestored())], {one: 2}), edit(team, two, 3))
    log = await log_of(serving, team.workspace_id)
    another = wish(team, facts, {one: 1, two: 1, team.admin: 1})
    again, other, new = await event_store.append(serving, [append, another, creation(team, new_id())])
    assert (again.outcome, again.position, again.recorded_at) == (Outcome.COMMITTED, first.position, first.recorded_at)
    assert (other.outcome, new.position) == (Outcome.CONFLICT, len(log) + 1)
    assert (await log_of(serving, team.workspace_id))[:-1] == log


async def test_another_command_with_the_same_key_is_told_what_the_first_one_did(
    serving: Connection, team: Team
) -> None:
    first = creation(team, new_id(), key="key:k", fingerprint="0a")
    (committed,) = await event_store.append(serving, [first])
    other = creation(team, new_id(), key="key:k", fingerprint="0b")
    (known,) = await event_store.append(serving, [other])
    assert known == Verdict(
        Outcome.KNOWN, committed.position, committed.recorded_at, first.command_id, "0a", first.stream_id, 1
    )
    assert events_of(await log_of(serving, team.workspace_id), other.stream_id) == []


async def test_a_key_is_found_although_what_the_retry_read_has_moved(serving: Connection, team: Team) -> None:
    task_id = new_id()
    await outcomes(serving, creation(team, task_id))
    assert await outcomes(serving, edit(team, task_id, 1, key="key:k")) == [Outcome.COMMITTED]
    assert await outcomes(serving, edit(team, task_id, 1, key="key:k")) == [Outcome.KNOWN]


async def test_a_key_belongs_to_one_user_of_one_workspace(owner: Connection, team: Team) -> None:
    elsewhere = await found(owner)
    for batch in (
        creation(team, new_id(), key="key:k"),
        creation(team, new_id(), key="key:k", by=team.member),
        creation(elsewhere, new_id(), key="key:k"),
    ):
        assert await outcomes(owner, batch) == [Outcome.COMMITTED]


async def test_a_no_op_with_a_key_is_recorded_and_a_rejection_is_not(serving: Connection, team: Team) -> None:
    kept = wish(team, [], {team.admin: 1}, key="key:no-op", keep=True, fingerprint="0a")
    refused = wish(team, [], {team.admin: 1}, key="key:refused", keep=False)
    head = len(await log_of(serving, team.workspace_id))
    assert await outcomes(serving, kept, refused) == [Outcome.COMMITTED, Outcome.COMMITTED]
    await outcomes(serving, creation(team, new_id()))
    again = wish(team, [], {team.admin: 1}, key="key:no-op", keep=True)
    (known,) = await event_store.append(serving, [again])
    assert (known.outcome, known.command_id, known.version, known.position) == (
        Outcome.KNOWN,
        kept.command_id,
        1,
        head,
    )
    retried = creation(team, new_id(), key="key:refused")
    assert await outcomes(serving, retried) == [Outcome.COMMITTED]


async def test_a_loser_leaves_its_key_free(serving: Connection, team: Team) -> None:
    task_id = new_id()
    assert await outcomes(serving, edit(team, task_id, 1, key="key:k")) == [Outcome.CONFLICT]
    assert await outcomes(serving, creation(team, task_id, key="key:k")) == [Outcome.COMMITTED]


async def test_recorded_at_never_runs_backwards(owner: Connection, serving: Connection, team: Team) -> None:
    """Also when the clock does: the last time is the least that the next one can be."""
    ahead = datetime.fromisoformat("2999-01-01T00:00:00+00:00")
    await owner.execute("UPDATE logs SET recorded_at = %s WHERE workspace_id = %s", (ahead, team.workspace_id))
    verdicts = [(await event_store.append(serving, [creation(team, new_id())]))[0] for _ in range(2)]
    assert [verdict.recorded_at for verdict in verdicts] == ["2999-01-01T00:00:00.000000Z"] * 2
    assert ahead == datetime.fromisoformat((await log_of(serving, team.workspace_id))[-1].recorded_at)


async def test_the_bytes_of_data_and_meta_are_kept(serving: Connection, team: Team) -> None:
    task_id = new_id()
    text = 'ünï "quoted" \\ \t😀 \u2028 é e\u0301'
    event = TaskCreated(title=text, tags=("z", "a"), description=text, status="todo", category=Category.OPEN)
    append = wish(team, [Fact(task_id, event)], {task_id: 0})
    await outcomes(serving, append)
    cursor = await serving.execute(
        "SELECT data::text, meta::text FROM events WHERE workspace_id = %s AND stream_id = %s",
        (team.workspace_id, task_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    assert (row[0].encode(), row[1].encode()) == (encode(event), encode(append.meta))
    assert events_of(await log_of(serving, team.workspace_id), task_id) == [event]


async def test_workspaces_do_not_see_each_others_streams_or_positions(owner: Connection, team: Team) -> None:
    elsewhere = await found(owner)
    task_id = new_id()
    for one in (team, elsewhere):
        (verdict,) = await event_store.append(owner, [creation(one, task_id)])
        assert (verdict.outcome, verdict.position) == (Outcome.COMMITTED, 7)


async def test_an_unknown_workspace_is_refused(serving: Connection, team: Team) -> None:
    nowhere = team._replace(workspace_id=new_id())
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=nowhere.workspace_id):
        await event_store.append(serving, [creation(nowhere, new_id())])


def test_what_is_written_must_have_been_read(team: Team) -> None:
    with pytest.raises(ValueError, match="must have been read"):
        wish(team, [Fact(new_id(), CREATED)], {team.admin: 1})


def test_an_answer_of_another_length_is_no_answer(team: Team) -> None:
    with pytest.raises(RuntimeError, match=r"rows \[\] to 1"):
        event_store.verdicts([], [wish(team, [], {team.admin: 1})])
    for numbers in ([1], [0, 2], [0, 0], [0, 1, 1]):
        with pytest.raises(RuntimeError, match=re.escape(f"rows {numbers} to 1")):
            event_store.verdicts([(n, *[None] * 9) for n in numbers], [wish(team, [], {team.admin: 1})])


async def test_who_lost_is_told_what_it_missed_and_who_wins_next_that_others_want_it(
    serving: Connection, team: Team
) -> None:
    task_id = new_id()
    await event_store.append(serving, [creation(team, task_id, TaskEdited(title="a"), TaskEdited(title="b"))])
    (lost,) = await event_store.append(serving, [edit(team, task_id, 1)])
    assert lost.outcome is Outcome.CONFLICT
    assert [(event.version, event.event) for event in lost.events] == [
        (2, TaskEdited(title="a")),
        (3, TaskEdited(title="b")),
    ]
    won, elsewhere = await event_store.append(serving, [edit(team, task_id, 3), creation(team, new_id())])
    assert (won.outcome, won.contended, won.events) == (Outcome.COMMITTED, True, [])
    assert (elsewhere.outcome, elsewhere.contended) == (Outcome.COMMITTED, False)


async def test_what_somebody_lost_over_is_forgotten_after_a_while(
    serving: Connection, owner: Connection, team: Team
) -> None:
    task_id = new_id()
    await event_store.append(serving, [creation(team, task_id)])
    await event_store.append(serving, [edit(team, task_id, 7)])
    await owner.execute("UPDATE logs SET contended_at = contended_at - interval '1 second'")
    (won,) = await event_store.append(serving, [edit(team, task_id, 1)])
    assert (won.outcome, won.contended) == (Outcome.COMMITTED, False)


async def test_of_a_long_stream_only_a_first_part_is_told(serving: Connection, team: Team) -> None:
    task_id = new_id()
    await event_store.append(serving, [creation(team, task_id, *(TaskEdited(title=str(n)) for n in range(150)))])
    (lost,) = await event_store.append(serving, [creation(team, task_id)])
    assert [event.version for event in lost.events] == list(range(1, 101))
