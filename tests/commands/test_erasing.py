"""Erasing what an event said: the data and the salt go for good, everything else stays."""

import hashlib

import pytest
from psycopg.errors import ForeignKeyViolation, IntegrityError, RestrictViolation, UniqueViolation

from commands.task import EditTask, MoveTask
from domain.events import Erased
from domain.task import ERASED_TITLE
from tests.commands.desk import Connection, Desk, Team, as_task, log_of
from tests.house import Database

Row = tuple[bytes, bytes | None, str | None, str]


async def row_at(connection: Connection, team: Team, position: int) -> Row:
    cursor = await connection.execute(
        """
        SELECT digest, salt, data::text,
               row(position, stream_id, version, schema_version, recorded_at, name, meta::text)::text
        FROM events WHERE workspace_id = %s AND position = %s
        """,
        (team.workspace_id, position),
    )
    row: Row | None = await cursor.fetchone()
    assert row is not None
    return row


async def erase(owner: Connection, team: Team, position: int, reason: str = "asked to be forgotten") -> None:
    await owner.execute("SELECT erase(%s, %s, %s)", (team.workspace_id, position, reason))


async def test_a_digest_commits_to_salt_and_data_and_outlives_both(desk: Desk, owner: Connection, team: Team) -> None:
    await desk.task(team, title="a sécret")
    position = len(await log_of(owner, team.workspace_id))
    digest, salt, data, rest = await row_at(owner, team, position)
    assert salt is not None
    assert data is not None
    assert len(salt) == 16
    assert digest == hashlib.sha256(salt + data.encode()).digest()
    await erase(owner, team, position)
    assert await row_at(owner, team, position) == (digest, None, None, rest)


async def test_equal_data_have_different_digests(desk: Desk, owner: Connection, team: Team) -> None:
    """Who knows the digest of an erased event cannot find out by trying what it said."""
    for _ in range(2):
        await desk.task(team, title="yes")
    cursor = await owner.execute(
        "SELECT count(*), count(DISTINCT digest), count(DISTINCT salt) FROM events WHERE name = 'task.created'"
    )
    assert await cursor.fetchone() == (2, 2, 2)


async def test_an_erasure_is_on_record_and_stays_there(desk: Desk, owner: Connection, team: Team) -> None:
    await desk.task(team)
    position = len(await log_of(owner, team.workspace_id))
    await erase(owner, team, position)
    cursor = await owner.execute(
        """
        SELECT workspace_id::text, position, reason, erased_by = session_user, erased_at <= clock_timestamp()
        FROM erasures
        """
    )
    assert await cursor.fetchall() == [(team.workspace_id, position, "asked to be forgotten", True, True)]
    with pytest.raises(UniqueViolation):
        await erase(owner, team, position)
    with pytest.raises(RestrictViolation):
        await owner.execute("DELETE FROM erasures")


async def test_only_what_exists_is_erased_and_only_with_a_reason(desk: Desk, owner: Connection, team: Team) -> None:
    before = await log_of(owner, team.workspace_id)
    with pytest.raises(ForeignKeyViolation):
        await erase(owner, team, len(before) + 1)
    with pytest.raises(IntegrityError):
        await erase(owner, team, 1, "")
    assert await log_of(owner, team.workspace_id) == before


async def test_a_recorded_erasure_allows_no_other_change_of_the_event(
    desk: Desk, owner: Connection, team: Team
) -> None:
    await desk.task(team)
    await erase(owner, team, 7)
    for change in ("data = '{}', salt = sha256('')", "meta = '{}'", "name = 'task.edited'", "digest = sha256('')"):
        with pytest.raises(RestrictViolation):
            await owner.execute(f"UPDATE events SET {change} WHERE position = 7".encode())


async def test_the_log_goes_on_after_an_erasure(database: Database, desk: Desk, owner: Connection, team: Team) -> None:
    """Another process, which has nothing in memory, folds what is left and decides on it."""
    task_id = await desk.task(team, title="a secret")
    created_at = len(await log_of(owner, team.workspace_id))
    await desk.do(team, team.admin, EditTask(task_id, title="less so"))
    await erase(owner, team, created_at)
    await erase(owner, team, created_at + 1)
    async with Desk.open(database) as other:
        receipt = await other.do(team, team.admin, MoveTask(task_id, "start"))
    task = as_task(receipt.state)
    assert (task.title, task.status, task.version) == (ERASED_TITLE, "in_progress", 3)
    log = await log_of(owner, team.workspace_id)
    first_two = [event.event for event in log[created_at - 1 : -1]]
    assert first_two == [
        Erased(name="task.created"),
        Erased(name="task.edited"),
    ]
