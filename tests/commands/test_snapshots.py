"""Streams that are kept folded: whoever begins with a snapshot knows what the log says, and nobody waits for one."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from commands.event_store import EventStore
from commands.execute import Executor
from commands.ids import new_id
from commands.project import CreateProject
from commands.snapshot_table import Snapshot
from commands.streams import PIECES_AT_ONCE
from commands.task import CreateTask
from domain.board import Board, BoardTaskArrived
from domain.events import Meta, Recorded
from domain.numbering import NumberGiven
from domain.task import Task
from projections.preflight import Preflight
from tests.commands.desk import Desk
from tests.commands.long_streams import EVERY, PIECE, Counting, LongStreams, count_of, folded, opened
from tests.house import Database, until

META = Meta(actor="x", correlation_id="x", causation_id="x")
PIECES = 20
LONG = PIECES * PIECE + 1  # and one event more


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Warnings, whatever level a program that ran before has set."""
    caplog.set_level("WARNING")
    return caplog


@pytest.fixture
async def long(database: Database) -> AsyncIterator[LongStreams]:
    async with opened(database) as long:
        yield long


async def test_another_process_begins_with_what_was_kept_and_reads_what_follows(long: LongStreams) -> None:
    one = long.process()
    await long.arrive(6)
    await long.now(one, long.board)
    await one.settled()
    assert await long.kept() == {long.board: 6}
    await long.lie(1_000)
    await long.arrive(2)
    store = Counting(long.pool)
    other = long.process(store)
    assert count_of(await long.now(other, long.board)) == 1_002
    assert store.given == [2]
    assert count_of(await other.at(long.team.workspace_id, long.board, 6)) == 1_000
    assert count_of(await other.at(long.team.workspace_id, long.board, 5)) == 5
    assert count_of(await long.now(one, long.board)) == 8


async def test_a_process_that_is_little_behind_reads_events_and_no_snapshot(long: LongStreams) -> None:
    one, other = long.process(), long.process()
    await long.arrive(EVERY - 2)
    await long.now(one, long.board)
    await long.arrive(EVERY - 1)
    await long.now(other, long.board)
    await other.settled()
    assert await long.kept() == {long.board: 2 * EVERY - 3}
    await long.lie(1_000)
    assert count_of(await long.now(one, long.board)) == 2 * EVERY - 3


async def test_what_processes_learn_from_their_commands_is_kept_now_and_then(long: LongStreams) -> None:
    process, versions = long.process(), []
    for _ in range(2 * EVERY):
        process.advance(long.team.workspace_id, await long.arrive(1))
        await process.settled()
        versions.append((await long.kept()).get(long.board, 0))
    assert versions == [0] * (EVERY - 1) + [EVERY] * EVERY + [2 * EVERY]


async def test_nothing_is_kept_twice_by_processes_that_know_the_same(long: LongStreams) -> None:
    processes = [long.process() for _ in range(3)]
    await long.arrive(7)
    for process in processes:
        await long.now(process, long.board)
    await asyncio.gather(*(process.settled() for process in processes))
    cursor = await long.owner.execute("SELECT version, taken_at FROM snapshots")
    [(version, taken_at)] = await cursor.fetchall()
    assert version == 7
    late = long.process(every=1)
    await long.now(late, long.board)
    await late.settled()
    cursor = await long.owner.execute("SELECT version, taken_at FROM snapshots")
    assert await cursor.fetchall() == [(7, taken_at)]


async def test_who_hears_later_of_what_another_process_has_kept_writes_the_next_one_only(long: LongStreams) -> None:
    one, other = long.process(), long.process()
    await long.arrive(EVERY - 1)
    for process in (one, other):
        await long.now(process, long.board)
    versions = []
    for process in (one, *[other] * (EVERY + 1)):
        await long.arrive(1)
        await long.now(process, long.board)
        await process.settled()
        versions.append((await long.kept())[long.board])
    assert versions == [EVERY] * (EVERY + 1) + [2 * EVERY + 1]


async def test_one_of_another_fold_is_passed_by_and_replaced(long: LongStreams) -> None:
    process = long.process()
    await long.arrive(6)
    await long.now(process, long.board)
    await process.settled()
    await long.lie(1_000)
    await long.owner.execute("UPDATE snapshots SET fold = 'board/0'")
    other = long.process()
    assert count_of(await long.now(other, long.board)) == 6
    await other.settled()
    cursor = await long.owner.execute("SELECT version, fold FROM snapshots")
    assert await cursor.fetchall() == [(6, "board/1")]


async def test_an_older_one_takes_the_place_of_none_but_one_of_another_fold_or_log(long: LongStreams) -> None:
    table, workspace_id = EventStore(long.pool).snapshots, long.team.workspace_id
    log = await long.arrive(8)
    new, old = (Snapshot(long.board, version, "board/1", 0, f"up to {version}") for version in (8, 6))
    assert await table.keep(workspace_id, new, log[7].position)
    assert not await table.keep(workspace_id, old, log[5].position)
    assert not await table.keep(workspace_id, new, log[7].position)
    assert await long.kept() == {long.board: 8}
    for spoilt in ("fold = 'board/0'", "digest = sha256('')", "erased = 1"):
        await long.owner.execute(f"UPDATE snapshots SET version = 8, {spoilt}".encode())
        assert await table.keep(workspace_id, old, log[5].position)
        assert await long.kept() == {long.board: 6}
    assert not await table.keep(workspace_id, new._replace(erased=1), log[7].position)
    assert not await table.keep(workspace_id, new, log[7].position + 1)
    assert not await table.keep(workspace_id, new._replace(version=9), log[7].position + 1)


async def test_what_was_taken_in_and_is_not_in_the_log_is_not_kept_and_is_forgotten(long: LongStreams) -> None:
    """As after a restore to an earlier point, which this process does not know of yet."""
    process, workspace_id = long.process(), long.team.workspace_id
    position = (await long.arrive(EVERY - 1))[-1].position
    await long.now(process, long.board)
    never = Recorded(position + 1, long.board, EVERY, BoardTaskArrived(task_id=new_id()), META, "")
    process.advance(workspace_id, [never])
    await process.settled()
    assert await long.kept() == {}
    assert process.get(workspace_id, long.board) is None
    assert count_of(await long.now(process, long.board)) == EVERY - 1


async def test_an_erasure_deletes_what_was_folded_with_it_in_the_same_transaction(long: LongStreams) -> None:
    process = long.process()
    position = (await long.arrive(6))[0].position
    await long.happen(long.streams[1], *(NumberGiven(task_id=new_id()) for _ in range(6)))
    await process.refresh(long.team.workspace_id, long.streams)
    await process.settled()
    both = await long.kept()
    assert both.keys() == {long.board, long.streams[1]}
    async with long.owner.transaction(force_rollback=True):
        await long.erase(position)
        assert (await long.kept()).keys() == {long.streams[1]}
    assert await long.kept() == both
    await long.erase(position)
    assert (await long.kept()).keys() == {long.streams[1]}


async def test_who_folded_before_an_erasure_keeps_nothing_of_it_afterwards(long: LongStreams) -> None:
    process, workspace_id = long.process(), long.team.workspace_id
    erased = (await long.arrive(EVERY - 1))[0]
    await long.now(process, long.board)
    await long.erase(erased.position)
    process.advance(workspace_id, await long.arrive(1))
    await process.settled()
    assert await long.kept() == {}
    for looking in (process, long.process()):
        board = await long.now(looking, long.board)
        assert board == folded(await long.log(long.board))
        assert isinstance(erased.event, BoardTaskArrived)
        assert isinstance(board, Board)
        assert erased.event.task_id not in set(board.tasks)
        assert board.count == EVERY


async def test_what_is_learnt_after_its_erasure_is_kept_as_erased(long: LongStreams) -> None:
    process = long.process()
    await long.arrive(EVERY - 2)
    await long.now(process, long.board)
    await long.erase((await long.arrive(2))[0].position)
    process.advance(long.team.workspace_id, (await long.log(long.board))[-2:])
    await process.settled()
    cursor = await long.owner.execute("SELECT version, erased FROM snapshots")
    assert await cursor.fetchall() == [(EVERY, 1)]


async def test_one_from_before_an_erasure_that_comes_late_counts_for_nothing(long: LongStreams) -> None:
    """An erasure does not see what another transaction has not committed yet."""
    process = long.process()
    first = (await long.arrive(6))[0].position
    await long.now(process, long.board)
    await process.settled()
    await long.owner.execute("CREATE TABLE late AS SELECT * FROM snapshots")
    await long.erase(first)
    await long.owner.execute("INSERT INTO snapshots SELECT * FROM late")
    cold = long.process()
    assert await long.now(cold, long.board) == folded(await long.log(long.board))
    await cold.settled()
    cursor = await long.owner.execute("SELECT version, erased FROM snapshots")
    assert await cursor.fetchall() == [(6, 1)]


async def test_one_that_cannot_be_read_is_deleted_and_the_log_is_read(
    long: LongStreams, said: pytest.LogCaptureFixture
) -> None:
    process = long.process()
    await long.arrive(6)
    await long.now(process, long.board)
    await process.settled()
    for spoilt in ("'{}'", "left(state, -1)", """replace(state, '"version":6', '"version":7')"""):
        await long.owner.execute(f"UPDATE snapshots SET state = {spoilt}".encode())
        cold = long.process()
        assert count_of(await long.now(cold, long.board)) == 6
        await cold.settled()
        assert await long.kept() == {long.board: 6}
        assert said.messages.count("a snapshot cannot be read") == 1
        said.clear()


async def test_what_cannot_be_kept_does_no_harm(long: LongStreams, said: pytest.LogCaptureFixture) -> None:
    process, workspace_id = long.process(), long.team.workspace_id
    await long.owner.execute("REVOKE INSERT ON snapshots FROM taskfold_serving")
    await long.arrive(6)
    assert count_of(await long.now(process, long.board)) == 6
    await process.settled()
    assert "a snapshot was not kept" in said.messages
    assert await long.kept() == {}
    await long.owner.execute("GRANT INSERT ON snapshots TO taskfold_serving")
    process.advance(workspace_id, await long.arrive(EVERY))
    await process.settled()
    assert await long.kept() == {long.board: 6 + EVERY}


async def test_a_process_that_stops_waits_for_no_snapshot(long: LongStreams, said: pytest.LogCaptureFixture) -> None:
    process = long.process()
    await long.arrive(6)
    async with long.owner.transaction():
        await long.owner.execute("LOCK TABLE snapshots IN SHARE MODE")
        await long.now(process, long.board)
        await process._snapshots.stop(0.01)
        await process.settled()
    assert await long.kept() == {}
    await long.arrive(EVERY)
    assert count_of(await long.now(process, long.board)) == 6 + EVERY
    await process.settled()
    assert await long.kept() == {}
    assert said.messages == []


async def test_a_long_stream_comes_in_pieces_and_is_kept_on_the_way(long: LongStreams) -> None:
    await long.arrive(LONG)
    store = Counting(long.pool)
    process = long.process(store)
    assert await long.now(process, long.board) == folded(await long.log(long.board))
    assert store.given == [PIECE] * PIECES + [1]
    await process.settled()
    kept = (await long.kept())[long.board]
    assert LONG - PIECES_AT_ONCE * PIECE - EVERY <= kept <= LONG
    store.given.clear()
    await long.now(long.process(store), long.board)
    assert sum(store.given) == LONG - kept


async def test_many_who_want_a_long_stream_at_once_read_it_once(long: LongStreams) -> None:
    await long.arrive(LONG)
    store = Counting(long.pool)
    process, workspace_id = long.process(store, every=1_000), long.team.workspace_id
    await asyncio.gather(*(process.refresh(workspace_id, [long.board]) for _ in range(3)))
    assert sum(store.given) == LONG + 2 * PIECE
    assert count_of(await process.current(workspace_id, long.board, 3600)) == LONG


async def test_what_is_known_on_the_way_is_nobodys_answer(long: LongStreams) -> None:
    await long.arrive(LONG)
    process, workspace_id = long.process(), long.team.workspace_id
    reading = asyncio.create_task(process.refresh(workspace_id, [long.board]))
    await until(lambda: process.get(workspace_id, long.board) is not None)
    known = process.get(workspace_id, long.board)
    assert known is not None
    assert known.version < LONG
    assert count_of(await process.current(workspace_id, long.board, 3600)) == LONG
    await reading


async def test_who_gives_up_on_a_long_stream_has_not_read_in_vain(long: LongStreams) -> None:
    await long.arrive(LONG)
    store = Counting(long.pool)
    process, workspace_id = long.process(store, every=1_000), long.team.workspace_id
    reading = asyncio.create_task(process.refresh(workspace_id, [long.board]))
    await until(lambda: process.get(workspace_id, long.board) is not None)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    store.given.clear()
    assert count_of(await long.now(process, long.board)) == LONG
    assert 0 < sum(store.given) <= LONG - PIECES_AT_ONCE * PIECE


async def test_commands_of_a_process_that_begins_with_snapshots(long: LongStreams, desk: Desk) -> None:
    """Numbers stay dense, and the boards hold each task, with a process that knows nothing for each command."""
    project_id, keys = new_id(), []
    await desk.do(long.team, long.team.admin, CreateProject(project_id, "Application", "APP"))
    for _ in range(12):
        streams = long.process(every=3)
        desk.executor = Executor(desk.store, streams, desk.committer)
        receipt = await desk.do(long.team, long.team.admin, CreateTask(new_id(), "write", project_id=project_id))
        assert isinstance(receipt.state, Task)
        keys.append(receipt.state.key)
        await streams.settled()
    assert keys == [f"APP-{n}" for n in range(1, 13)]
    assert sorted((await long.kept()).values()) == [12, 12]


async def test_the_check_of_all_history_trusts_no_snapshot(long: LongStreams) -> None:
    """It reads the log alone: what is unreadable there is found, whatever a snapshot past it says."""
    process, wrong = long.process(), list[str]()
    await long.arrive(6)
    await long.now(process, long.board)
    await process.settled()
    async with long.pool.connection() as connection:
        work = Preflight(connection, lambda _, finding: wrong.append(finding.why), lambda _: None)
        await long.owner.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await long.owner.execute("UPDATE events SET data = '{}' WHERE stream_id = %s AND version = 3", (long.board,))
        await work.run(None)
    assert len(wrong) == 1
    assert count_of(await long.now(long.process(), long.board)) == 6
