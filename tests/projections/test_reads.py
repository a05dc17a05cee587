"""The queries on the rows, without HTTP: histories, and pages of tasks with their cursors."""

from typing import Any

import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.errors import Invalid
from domain.policy import Eyes
from domain.task import TaskAssigned, TaskDeleted
from domain.task_fields import Assignee
from domain.user import Role
from projections import history, task_pages
from projections.cursors import Cursor, encode
from projections.database import Pool
from projections.task_list import SORTS, TaskQuery
from tests.commands.desk import Connection, Desk, Team, log_of
from tests.projections.histories import History
from tests.projections.reading import catch_up, creation, log_events, rows_of, worker

SOME_ID = "01a1fc40-0f7f-7b37-92a4-3b161b1b8307"  # not a fresh one: parallel runners must collect the same tests


async def test_a_history_is_the_stream_of_a_task_and_of_nothing_else(
    desk: Desk, owner: Connection, team: Team, pool: Pool
) -> None:
    task_id = new_id()
    await log_events(
        owner, team, task_id, creation(), TaskAssigned(assignee=Assignee(type="user", id=team.member)), TaskDeleted()
    )
    async with pool.connection() as connection:
        events = await history.read(connection, team.workspace_id, task_id)
        assert events == (await log_of(owner, team.workspace_id))[6:]
        assert history.owners(events) == {team.admin, team.member}  # also in the trash
        assert [list(entry["changes"]) for entry in history.entries(events)][1:] == [["assignee"], ["deleted_at"]]
        for id_ in (team.admin, team.workspace_id, new_id()):
            assert await history.read(connection, team.workspace_id, id_) == []
    assert history.owners([]) == frozenset()


BY_MANY: list[tuple[str, ...]] = [
    ("priority", "-due_at", "title"),
    ("-start_at", "priority"),
    ("-due_at", "-priority", "start_at"),
]


@pytest.mark.parametrize("sort", [*((name,) for name in SORTS if name != "rank"), *BY_MANY])
async def test_pages_of_any_size_hold_every_task_that_one_may_see_once(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, sort: tuple[str, ...]
) -> None:
    await History(desk, team, 202).go_on(600)
    await catch_up(worker(pool, redis), team.workspace_id)
    rows = [row for row in (await rows_of(owner, team.workspace_id)).tasks.values() if row["deleted_at"] is None]
    project = next(row["project_id"] for row in rows if row["project_id"])
    for reader in (eyes_of(team.admin), eyes_of(team.member, Role.MEMBER), eyes_of(team.member, Role.MEMBER, project)):
        mine = [row["id"] for row in rows if reader.see_all or reader.ids & owners_of(row)]
        orders = [await pages(pool, TaskQuery(team.workspace_id, reader, sort=sort, limit=n)) for n in (2, 50)]
        assert orders[0] == orders[1]
        assert sorted(orders[0]) == sorted(mine)
        assert len(mine) > 2


def owners_of(row: dict[str, Any]) -> set[str]:
    """Whose a task is: its project's, or else its creator's and its assignee's."""
    if row["project_id"]:
        return {row["project_id"]}
    return {row["created_by"], *([row["assignee"]["id"]] if row["assignee"] else [])}


def eyes_of(user_id: str, role: Role = Role.ADMIN, *groups: str) -> Eyes:
    """Those of somebody in these teams and projects."""
    return Eyes(role, frozenset((user_id, *groups)))


async def pages(pool: Pool, query: TaskQuery) -> list[str]:
    """The ids of every page, by following the cursors."""
    found: list[str] = []
    cursor: str | None = None
    async with pool.connection() as connection:
        while True:
            documents, cursor, position = await task_pages.page(connection, _with(query, cursor))
            assert position > 0
            found += [document.partition('"id":"')[2][:36] for document in documents]
            if cursor is None:
                return found


def _with(query: TaskQuery, cursor: str | None) -> TaskQuery:
    return TaskQuery(query.workspace_id, query.eyes, sort=query.sort, limit=query.limit, cursor=cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        "ä",
        "x",
        encode(Cursor(["title"], ["a", SOME_ID])),
        encode(Cursor(["priority"], ["1"])),
        encode(Cursor(["priority"], ["\x00", SOME_ID])),
        encode(Cursor(["priority"], ["one", SOME_ID])),
        encode(Cursor(["priority"], ["1", "no id"])),
        encode(Cursor(["priority"], ["99999999999999999999", SOME_ID])),
    ],
)
async def test_a_cursor_that_no_page_gave_is_refused(team: Team, pool: Pool, redis: Redis, cursor: str) -> None:
    await catch_up(worker(pool, redis), team.workspace_id)
    query = TaskQuery(team.workspace_id, eyes_of(team.admin), sort=("priority",), cursor=cursor)
    async with pool.connection() as connection:
        with pytest.raises(Invalid) as refused:
            await task_pages.page(connection, query)
        assert refused.value.code == "cursor.invalid"
        page = await task_pages.page(connection, TaskQuery(team.workspace_id, eyes_of(team.admin)))
    assert page == ([], None, 6)


async def test_a_workspace_without_a_checkpoint_has_an_empty_page_at_the_beginning(team: Team, pool: Pool) -> None:
    async with pool.connection() as connection:
        page = await task_pages.page(connection, TaskQuery(team.workspace_id, eyes_of(team.admin)))
    assert page == ([], None, 0)
