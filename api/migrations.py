"""Bringing a database to `schema.sql`: at once when it is empty, through `migrations/` when it is older."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

ROOT: Final = Path(__file__).resolve().parent.parent
SCHEMA: Final = ROOT / "schema.sql"
MIGRATIONS: Final = ROOT / "migrations"

LOCK: Final = 0x7A5F01D  # one migration at a time in a database, whoever runs it
SERVING: Final = "taskfold_serving"


class MigrationError(RuntimeError):
    """The database cannot be brought to this version; the text says why."""


def newest() -> int:
    """The version that the files lead to: the first release is 1, `migrations/0002_….sql` leads to 2."""
    return max([1, *(_number(path) for path in steps())])


def steps() -> list[Path]:
    """The migrations, oldest first."""
    return sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))


def migrate(owner_url: str, serving_url: str, *, restored: bool = False) -> list[str]:
    """Create or upgrade, in one transaction under a lock. Answers what was done, line by line.

    With `restored`, also raise the epoch: the log was restored to an earlier point and clients must know.
    Raises `MigrationError` for a database of a newer program.
    """
    with psycopg.connect(owner_url, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        done = _upgrade(connection)
        done += _login(connection, serving_url)
        if restored:
            connection.execute("UPDATE installation SET restored = restored + 1")
            done.append("raised the epoch")
        return done


def _upgrade(connection: psycopg.Connection[Any]) -> list[str]:
    version = _version(connection)
    if version is None:
        connection.execute(SCHEMA.read_bytes())
        return [f"created the schema, version {newest()}"]
    if version > newest():
        raise MigrationError(f"the database has version {version}, this program knows {newest()}; use a newer program")
    done = []
    for step in steps():
        if _number(step) > version:
            connection.execute(step.read_bytes())
            connection.execute("UPDATE schema_version SET version = %s", (_number(step),))
            done.append(f"applied {step.name}")
    return done


def _version(connection: psycopg.Connection[Any]) -> int | None:
    row = connection.execute("SELECT to_regclass('public.schema_version')").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute("SELECT version FROM schema_version").fetchone()
    return None if found is None else int(found[0])


def _login(connection: psycopg.Connection[Any], serving_url: str) -> list[str]:
    """The role that the serving URL names: made if it is not there, and a member of the role with the grants."""
    parts = urlsplit(serving_url)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not name:
        raise MigrationError("the serving database URL names no user")
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    done = []
    if row is None:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        )
        done.append(f"created the role {name}")
    owner = connection.execute("SELECT current_user").fetchone()
    if owner is None or owner[0] != name:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(SERVING), sql.Identifier(name)))
    return done


def _number(path: Path) -> int:
    return int(path.name[:4])
