"""What the write side keeps in memory: folded streams, turns, new ids."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from api.database import Pool
from commands.event_store import EventStore, Piece
from commands.ids import new_id
from commands.streams import Streams
from commands.task import EditTask
from commands.turns import Turns
from domain.task import Task, TaskCreated
from domain.workflow import Category
from tests.commands.desk import Connection, Desk, Team, as_task, log_of
from tests.domain.given import TASK, Given


async def test_a_stream_that_is_not_there_is_known_to_be_empty(desk: Desk, team: Team) -> None:
    id_ = new_id()
    assert desk.streams.get(team.workspace_id, id_) is None
    assert await desk.streams.current(team.workspace_id, id_, 0) is None
    folded = desk.streams.get(team.workspace_id, id_)
    assert folded is not None
    assert (folded.version, folded.state) == (0, None)


async def test_memory_is_bounded_and_forgets_what_was_used_least(desk: Desk, team: Team) -> None:
    streams = Streams(desk.store, most=3)
    a, b, c, d = (new_id() for _ in range(4))
    await streams.refresh(team.workspace_id, [a, b, c])
    streams.get(team.workspace_id, a)
    await streams.refresh(team.workspace_id, [d])
    assert [streams.get(team.workspace_id, id_) is None for id_ in (a, b, c, d)] == [False, True, False, False]


async def test_a_state_is_read_again_once_it_is_too_old(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    reader = Streams(desk.store)
    assert as_task(await reader.current(team.workspace_id, task_id, 0)).title == "write"
    await desk.do(team, team.admin, EditTask(task_id, title="new"))
    assert as_task(await reader.current(team.workspace_id, task_id, 3600)).title == "write"
    assert as_task(await reader.current(team.workspace_id, task_id, -1)).title == "new"


async def test_what_was_committed_is_taken_in_only_where_it_follows(desk: Desk, owner: Connection, team: Team) -> None:
    task_id = await desk.task(team)
    for title in ("a", "b"):
        await desk.do(team, team.admin, EditTask(task_id, title=title))
    first, second, third = (await log_of(owner, team.workspace_id))[-3:]
    streams = Streams(desk.store)
    streams.advance(team.workspace_id, [second])
    assert streams.get(team.workspace_id, task_id) is None
    streams.advance(team.workspace_id, [first, third, second])
    assert (streams.get(team.workspace_id, task_id) or (0,))[0] == 2


class Late(EventStore):
    """Reads at once, and answers when it may."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.has_read, self.may_answer = asyncio.Event(), asyncio.Event()

    async def read(self, workspace_id: str, after: Mapping[str, int], **options: Any) -> Piece:
        piece = await super().read(workspace_id, after, **options)
        self.has_read.set()
        await self.may_answer.wait()
        return piece


async def test_who_answers_late_does_not_turn_back_what_was_read_since(
    desk: Desk, owner: Connection, team: Team
) -> None:
    task_id = await desk.task(team)
    store = Late(desk.pool)
    streams = Streams(store)
    reading = asyncio.create_task(streams.refresh(team.workspace_id, [task_id]))
    await store.has_read.wait()
    await desk.do(team, team.admin, EditTask(task_id, title="new"))
    streams.advance(team.workspace_id, (await log_of(owner, team.workspace_id))[-2:])
    store.may_answer.set()
    await reading
    assert as_task(await streams.current(team.workspace_id, task_id, 3600)).title == "new"


async def test_a_state_of_the_past_is_folded_from_the_log(desk: Desk, team: Team) -> None:
    task_id = await desk.task(team)
    for title in ("a", "b"):
        await desk.do(team, team.admin, EditTask(task_id, title=title))
    titles = [as_task(await desk.streams.at(team.workspace_id, task_id, n)).title for n in (1, 2, 3)]
    assert titles == ["write", "a", "b"]


async def test_turns_are_taken_in_the_order_of_asking() -> None:
    turns, order = Turns(), list[int]()

    async def take(n: int) -> None:
        async with turns.take(("w", "s")):
            await asyncio.sleep(0)
            order.append(n)

    await asyncio.gather(*(take(n) for n in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert turns._queues == {}


async def test_a_turn_on_one_stream_holds_up_no_other() -> None:
    turns = Turns()
    async with turns.take(("w", "s")), turns.take(("w", "t")), turns.take(("v", "s")):
        assert len(turns._queues) == 3


async def test_who_fails_gives_the_turn_on() -> None:
    turns = Turns()

    async def fail() -> None:
        async with turns.take(("w", "s")):
            raise ZeroDivisionError

    results = await asyncio.gather(fail(), fail(), return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 2
    assert turns._queues == {}


async def test_a_turn_that_rests_goes_on_later_and_holds_up_nobody_who_had_it() -> None:
    turns, order = Turns(), list[str]()

    async def take(name: str, rest: float) -> None:
        async with turns.take(("w", "s")) as turn:
            turn.rest = rest
        order.append(f"{name} is through")

    await asyncio.gather(take("first", 0.01), take("second", 0))
    assert order == ["first is through", "second is through"]
    assert turns._queues == {}


async def test_who_goes_away_gives_the_turn_on() -> None:
    turns, order = Turns(), list[str]()

    async def take(name: str) -> None:
        async with turns.take(("w", "s")):
            order.append(name)

    async with turns.take(("w", "s")):
        gone, stays = asyncio.create_task(take("gone")), asyncio.create_task(take("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    await stays
    assert order == ["stays"]
    assert turns._queues == {}


def test_new_ids_are_uuids_of_version_7_in_canonical_text_and_in_order_of_time() -> None:
    ids = [new_id() for _ in range(1_000)]
    assert len(set(ids)) == len(ids)
    assert {(UUID(id_).version, UUID(id_).variant, str(UUID(id_)) == id_) for id_ in ids} == {
        (7, "specified in RFC 4122", True)
    }
    assert [id_[:13] for id_ in ids] == sorted(id_[:13] for id_ in ids)


def test_a_stream_of_any_kind_folds_by_the_first_part_of_its_events_names() -> None:
    event = TaskCreated(title="write", status="todo", category=Category.OPEN)
    assert isinstance(Given().happened(TASK, event).state(TASK), Task)
