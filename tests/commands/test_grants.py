"""Append-only, for everyone: what the serving role cannot do, nor the owner without dropping a trigger."""

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from tests.commands.desk import Connection, Team, log_of

LOG_TABLES = ["events", "keys", "logs", "erasures", "workspaces", "installation", "schema_version"]
CHANGES = {
    "events": "UPDATE events SET data = data",
    "keys": "UPDATE keys SET key = key",
    "logs": "UPDATE logs SET position = position",
    "erasures": "UPDATE erasures SET reason = reason",
    "workspaces": "UPDATE workspaces SET slug = slug",
    "installation": "UPDATE installation SET restored = restored",
    "schema_version": "UPDATE schema_version SET version = version",
}
GUARDED = {
    "events": [
        "UPDATE events SET data = '{}'",
        "UPDATE events SET data = NULL, salt = NULL",
        "UPDATE events SET position = position + 1000",
        "UPDATE events SET recorded_at = now()",
        "UPDATE events SET meta = '{}'",
        "UPDATE events SET digest = sha256('')",
        "DELETE FROM events",
        "TRUNCATE events CASCADE",
    ],
    "keys": ["UPDATE keys SET key = 'x'", "DELETE FROM keys", "TRUNCATE keys"],
    "logs": ["DELETE FROM logs", "TRUNCATE logs"],
    "erasures": ["UPDATE erasures SET reason = 'x'", "DELETE FROM erasures", "TRUNCATE erasures"],
}
FORBIDDEN_STATEMENTS = [statement for statements in GUARDED.values() for statement in statements]


@pytest.mark.parametrize("table", LOG_TABLES)
async def test_the_serving_role_reads_the_log_and_writes_none_of_its_tables(
    serving: Connection, team: Team, table: str
) -> None:
    await serving.execute(f"SELECT FROM {table}".encode())
    for statement in (
        f"INSERT INTO {table} SELECT * FROM {table}",
        CHANGES[table],
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ):
        with pytest.raises(InsufficientPrivilege):
            await serving.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT erase(workspace_id, position, 'because') FROM events",
        "SET session_replication_role = replica",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TRIGGER append_only ON events",
        "DROP TABLE events CASCADE",
        "CREATE TABLE mine (n integer)",
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "GRANT UPDATE ON events TO taskfold_serving",
    ],
)
async def test_the_serving_role_has_no_way_around_the_guards(serving: Connection, team: Team, statement: str) -> None:
    before = await log_of(serving, team.workspace_id)
    try:
        await serving.execute(statement.encode())
    except InsufficientPrivilege:
        pass
    else:  # GRANT of what one does not have is only a warning
        with pytest.raises(InsufficientPrivilege):
            await serving.execute("UPDATE events SET data = data")
    assert await log_of(serving, team.workspace_id) == before


async def test_the_serving_role_is_no_member_of_the_owner_and_no_superuser(
    owner: Connection, serving: Connection
) -> None:
    cursor = await serving.execute("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    assert await cursor.fetchone() == (False, False)
    cursor = await owner.execute("SELECT quote_ident(current_user)")
    row = await cursor.fetchone()
    assert row is not None
    with pytest.raises(InsufficientPrivilege):
        await serving.execute(f"SET ROLE {row[0]}".encode())


@pytest.mark.parametrize("mode", ["origin", "replica"])
@pytest.mark.parametrize("statement", FORBIDDEN_STATEMENTS)
async def test_the_owner_cannot_change_the_log_either(owner: Connection, team: Team, statement: str, mode: str) -> None:
    """Also not in replication mode, which passes ordinary triggers."""
    before = await log_of(owner, team.workspace_id)
    await owner.execute(f"SET session_replication_role = {mode}".encode())
    with pytest.raises(RestrictViolation, match="the log is append-only"):
        await owner.execute(statement.encode())
    assert await log_of(owner, team.workspace_id) == before


async def test_only_who_drops_the_trigger_first_can(owner: Connection, team: Team) -> None:
    """The guards above are what holds the owner, and nothing else by accident."""
    await owner.execute("DROP TRIGGER append_only ON events")
    await owner.execute("UPDATE events SET meta = meta WHERE workspace_id = %s", (team.workspace_id,))


async def test_public_has_nothing(owner: Connection) -> None:
    cursor = await owner.execute(
        """
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S')
          AND has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
        UNION ALL
        SELECT p.proname FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
        """
    )
    assert await cursor.fetchall() == []
    cursor = await owner.execute("SELECT has_schema_privilege('public', 'public', 'USAGE, CREATE')")
    assert await cursor.fetchone() == (False,)


async def test_what_runs_with_the_owners_rights_has_a_fixed_search_path(owner: Connection) -> None:
    cursor = await owner.execute(
        """
        SELECT proname, 'search_path=pg_catalog, public' = ANY (proconfig) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY proname
        """
    )
    found = dict(await cursor.fetchall())
    assert {"append", "register", "change_account", "change_invite", "erase", "epoch"} <= found.keys()
    assert all(found.values())


async def test_a_row_of_the_log_that_breaks_a_rule_is_refused(owner: Connection, team: Team) -> None:
    """The rules that Python keeps stand in the schema once more."""
    copy = """
        INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name, digest,
                            salt, meta, data)
        SELECT workspace_id, {position}, stream_id, {version}, {schema}, recorded_at, {name}, {digest},
               {salt}, meta, data
        FROM events WHERE position = 1
    """
    right = {
        "position": "99",
        "version": "99",
        "schema": "1",
        "name": "name",
        "digest": "digest",
        "salt": "salt",
    }
    wrong = [
        ("position", "0"),
        ("position", "1"),
        ("version", "0"),
        ("version", "1"),
        ("schema", "0"),
        ("name", "'Task Created'"),
        ("digest", "'short'"),
        ("salt", "NULL"),
        ("salt", "'short'"),
    ]
    for field, value in wrong:
        with pytest.raises(psycopg.errors.IntegrityError):
            await owner.execute(copy.format(**{**right, field: value}).encode())
    await owner.execute(copy.format(**right).encode())
