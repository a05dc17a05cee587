"""Databases come to be, and come to `schema.sql`, whoever migrates and however often."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from api import migrations
from api.cli import main
from api.migrations import SCHEMA, MigrationError, migrate, newest
from tests.house import Database, House, Servers, replaced

FIRST_RELEASE = Path(__file__).resolve().parent.parent / "stored" / "schema_1.sql"

# Everything that a schema is: each row one fact, in words that name no object ids.
CATALOG = r"""
WITH mine AS (SELECT oid FROM pg_namespace WHERE nspname = 'public')
SELECT 'relation', c.relname, c.relkind::text, concat_ws(' ', c.reloptions, c.relacl, c.relrowsecurity,
       CASE WHEN c.relkind = 'i' THEN pg_get_indexdef(c.oid) END)
FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM mine)
UNION ALL
SELECT 'column', c.relname || '.' || a.attname, a.attnum::text, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.attgenerated, a.attidentity, a.attcollation::regcollation, a.attacl,
       pg_get_expr(d.adbin, d.adrelid))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace IN (SELECT oid FROM mine) AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, contype::text, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace IN (SELECT oid FROM mine)
UNION ALL
SELECT 'trigger', tgrelid::regclass || '.' || tgname, tgenabled::text, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', p.oid::regprocedure::text, p.proowner::regrole::text,
       concat_ws(' ', p.proacl, pg_get_functiondef(p.oid))
FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM mine) AND p.prokind = 'f'
UNION ALL
SELECT 'type', t.typname, t.typtype::text, concat_ws(' ', t.typacl, (
       SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
FROM pg_type t WHERE t.typnamespace IN (SELECT oid FROM mine)
UNION ALL
SELECT 'schema', nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace WHERE nspname = 'public'
UNION ALL
SELECT 'extension', extname, extversion, '' FROM pg_extension
UNION ALL
SELECT 'version', version::text, '', '' FROM schema_version
ORDER BY 1, 2, 3, 4
"""


def catalog(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CATALOG.encode()).fetchall()


@pytest.fixture
def empty(servers: Servers) -> Iterator[Database]:
    """A database with nothing in it."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield Database(replaced(servers.owner_url, name), replaced(servers.serving_url, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _execute(database: Database, *statements: str | bytes) -> None:
    with psycopg.connect(database.owner_url) as connection:
        for statement in statements:
            connection.execute(statement.encode() if isinstance(statement, str) else statement)


def test_the_catalog_names_what_would_be_missed(empty: Database) -> None:
    migrate(*empty)
    before = catalog(empty.owner_url)
    for change in (
        "ALTER TABLE events DISABLE TRIGGER no_delete",
        "ALTER TABLE tasks ADD COLUMN more text",
        "ALTER TABLE tasks ALTER COLUMN title DROP NOT NULL",
        "DROP INDEX tasks_creator",
        "GRANT DELETE ON accounts TO taskfold_serving",
        "REVOKE EXECUTE ON FUNCTION epoch FROM taskfold_serving",
        "ALTER TABLE keys DROP CONSTRAINT keys_key_check",
        "ALTER FUNCTION refuse() SECURITY DEFINER",
        "ALTER TABLE logs SET (fillfactor = 81)",
        "UPDATE schema_version SET version = version + 1",
    ):
        _execute(empty, change)
        after = catalog(empty.owner_url)
        assert after != before, change
        before = after


def test_migrations_of_the_first_release_arrive_exactly_at_the_schema(empty: Database, database: Database) -> None:
    _execute(empty, FIRST_RELEASE.read_bytes())
    migrate(*empty)
    assert catalog(empty.owner_url) == catalog(database.owner_url)


def test_a_new_database_gets_the_schema_at_once_and_then_nothing(empty: Database, database: Database) -> None:
    assert migrate(*empty) == [f"created the schema, version {newest()}"]
    made = catalog(empty.owner_url)
    assert made == catalog(database.owner_url)
    assert migrate(*empty) == []
    assert catalog(empty.owner_url) == made
    assert f"VALUES ({newest()})" in SCHEMA.read_text()


def test_an_older_database_takes_each_step_once_and_in_order(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(*empty)
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path)
    (tmp_path / "0003_third.sql").write_text("CREATE TABLE third AS SELECT * FROM second;")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (); -- two statements\nCREATE TABLE more ();")
    (tmp_path / "README.md").write_text("not a step")
    assert newest() == 3
    assert migrate(*empty) == ["applied 0002_second.sql", "applied 0003_third.sql"]
    assert migrate(*empty) == []
    (tmp_path / "0004_broken.sql").write_text("CREATE TABLE fourth (); SELECT 1 / 0;")
    before = catalog(empty.owner_url)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(*empty)
    assert catalog(empty.owner_url) == before  # all of a step or nothing


def test_a_newer_database_is_refused(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(*empty)
    _execute(empty, "UPDATE schema_version SET version = 99")
    with pytest.raises(MigrationError, match=f"version 99, this program knows {newest()}"):
        migrate(*empty)
    assert _migrate_command(empty, monkeypatch, status=1).startswith("error: the database has version 99")


def test_several_processes_may_migrate_at_once(empty: Database) -> None:
    environment = {"TASKFOLD_DATABASE_URL": empty.serving_url, "TASKFOLD_MIGRATE_URL": empty.owner_url}
    command = [sys.executable, "-m", "api.cli", "migrate"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    said = sorted(process.communicate(timeout=60)[0] for process in started)
    assert [process.returncode for process in started] == [0] * 4
    assert said == [f"created the schema, version {newest()}\n"] + ["nothing to do\n"] * 3


def test_the_serving_role_is_made_with_the_password_of_its_url(empty: Database, servers: Servers) -> None:
    name = f"role {uuid4().hex}"
    url = empty.serving_url.partition("://")[2].partition("@")[2]
    serving = f"postgresql://{name.replace(' ', '%20')}:p%40ss%20'word@{url}"
    try:
        assert f"created the role {name}" in migrate(empty.owner_url, serving)
        assert migrate(empty.owner_url, serving) == []
        with psycopg.connect(serving) as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("INSERT INTO logs (workspace_id) VALUES (gen_random_uuid())")
    finally:
        _execute(empty, f'DROP OWNED BY "{name}"')
        with psycopg.connect(servers.owner_url) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_one_role_may_do_both(empty: Database) -> None:
    migrate(empty.owner_url, empty.owner_url)
    with psycopg.connect(empty.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)


def test_a_url_without_a_user_is_refused(empty: Database) -> None:
    with pytest.raises(MigrationError, match="names no user"):
        migrate(empty.owner_url, "postgresql:///taskfold")
    with psycopg.connect(empty.owner_url) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)


async def test_a_restored_log_has_another_epoch_and_clients_must_resync(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with House.open(database, servers) as house:
        ada = await house.user()
        epoch = house.services.epoch
    said = await asyncio.to_thread(_migrate_command, database, monkeypatch, "--restored")
    assert said == "raised the epoch\n"
    async with House.open(database, servers) as house:
        assert house.services.epoch not in ("", epoch)
        ada.base = house.base
        async with ada.socket(after=1, epoch=epoch) as socket:
            assert (await socket.receive())["epoch"] == house.services.epoch
            assert await socket.receive() == {"type": "resync", "reason": "epoch_changed"}


def _migrate_command(database: Database, monkeypatch: pytest.MonkeyPatch, *options: str, status: int = 0) -> str:
    monkeypatch.setenv("TASKFOLD_DATABASE_URL", database.serving_url)
    monkeypatch.setenv("TASKFOLD_MIGRATE_URL", database.owner_url)
    done = CliRunner().invoke(main, ["migrate", *options])
    assert done.exit_code == status, done.output
    return done.output


def test_the_command_says_what_it_did(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _migrate_command(empty, monkeypatch) == f"created the schema, version {newest()}\n"
    assert _migrate_command(empty, monkeypatch) == "nothing to do\n"
    monkeypatch.setenv("TASKFOLD_MIGRATE_URL", "postgresql://nobody@127.0.0.1:1/none")
    done = CliRunner().invoke(main, ["migrate"])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert done.output.startswith("error: ")
    monkeypatch.delenv("TASKFOLD_DATABASE_URL")
    done = CliRunner().invoke(main, ["migrate"])
    assert (done.exit_code, done.output) == (1, "error: TASKFOLD_DATABASE_URL: is not set\n")
