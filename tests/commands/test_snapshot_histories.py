"""Random histories of streams that are kept folded: whoever looks knows what the log says, whatever was kept."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from commands.ids import new_id
from domain.board import BoardTaskArrived, BoardTaskLeft
from domain.events import Erased
from domain.inbox import InboxRead, InboxReadThrough
from domain.numbering import NumberGiven
from tests.commands.desk import found
from tests.commands.long_streams import LongStreams, folded, opened
from tests.house import Database

TASKS = [new_id() for _ in range(12)]
WHICH = st.sampled_from([0, 0, 0, 1, 2])  # a stream: the board, the inbox, the numbering
WHO = st.sampled_from([0, 0, 0, 1])  # a process
OF_BOARD = st.one_of(
    st.builds(BoardTaskArrived, task_id=st.sampled_from(TASKS)),
    st.builds(BoardTaskLeft, task_id=st.sampled_from(TASKS)),
)
OF_NUMBERING = st.builds(NumberGiven, task_id=st.sampled_from(TASKS))
OF_INBOX = st.one_of(
    st.builds(InboxRead, positions=st.tuples(st.integers(1, 9), st.integers(1, 9))),
    st.builds(InboxReadThrough, position=st.integers(1, 9)),
)
HAPPENED = st.one_of(
    *(
        st.tuples(st.just(which), st.lists(events, min_size=1, max_size=9))
        for which, events in ((0, OF_BOARD), (0, OF_BOARD), (0, OF_BOARD), (1, OF_INBOX), (2, OF_NUMBERING))
    )
)
SPOILT = (
    "TRUNCATE snapshots",
    "DELETE FROM snapshots WHERE version % 2 = 0",
    "UPDATE snapshots SET fold = 'board/0', state = 'in another way'",
    "UPDATE snapshots SET state = left(state, -1)",
    "UPDATE snapshots SET digest = sha256(''), state = replace(state, '1', '2')",
    "DELETE FROM before; INSERT INTO before SELECT * FROM snapshots",
    """
    INSERT INTO snapshots SELECT * FROM before ON CONFLICT (workspace_id, stream_id) DO UPDATE
    SET version = excluded.version, fold = excluded.fold, digest = excluded.digest, erased = excluded.erased,
        state = excluded.state
    """,
)
STEP = st.one_of(
    *[st.tuples(st.just("happen"), WHO, HAPPENED)] * 3,
    st.tuples(st.just("look"), WHO, WHICH),
    *[st.tuples(st.just("keep"), WHO, WHICH)] * 2,
    *[st.tuples(st.just("erase"), WHICH, st.floats(0, 0.999))] * 2,
    st.tuples(st.sampled_from(SPOILT), st.none(), st.none()),
)


async def play(long: LongStreams, steps: Sequence[tuple[str, Any, Any]]) -> None:
    """Two processes that keep snapshots work on the log while others spoil them; then a third one looks."""
    long.team, long.streams = await found(long.owner), [new_id() for _ in range(3)]
    processes, workspace_id = [long.process(every=2), long.process()], long.team.workspace_id
    for step, one, other in [*steps, ("keep", 0, 0)]:
        match step:
            case "happen":
                processes[one].advance(workspace_id, await long.happen(long.streams[other[0]], *other[1]))
            case "look":
                await processes[one].refresh(workspace_id, [long.streams[other]])
            case "keep":
                await processes[one].settled()
            case "erase":
                log = [event for event in await long.log(long.streams[one]) if not isinstance(event.event, Erased)]
                if log:
                    await long.erase(log[int(other * len(log))].position)
            case statement:
                await long.owner.execute(statement.encode())
    cold = long.process()
    await cold.refresh(workspace_id, long.streams)
    for stream_id in long.streams:
        log = await long.log(stream_id)
        known = cold.get(workspace_id, stream_id)
        assert known is not None
        assert (known.version, known.state) == (len(log), folded(log))
        for version in range(1, len(log), 3):
            assert await cold.at(workspace_id, stream_id, version) == folded(log[:version])
    for process in (*processes, cold):
        await process.stop()


def test_whoever_begins_with_what_is_kept_knows_what_the_log_says(database: Database) -> None:
    """Whatever happens to snapshots and events meanwhile: deleted, of another fold or log, cut off; erased."""
    with asyncio.Runner() as run:
        context = opened(database)
        long = run.run(context.__aenter__())
        run.run(long.owner.execute("CREATE TABLE before AS SELECT * FROM snapshots"))  # as they once were

        @given(st.lists(STEP, min_size=4, max_size=25))
        def holds(steps: list[tuple[str, Any, Any]]) -> None:
            run.run(play(long, steps))

        try:
            holds()
        finally:
            run.run(context.__aexit__(None, None, None))
