"""`taskfold migrate`: create or upgrade the database."""

import os

import click
import psycopg

from api.cli import fail
from api.migrations import MigrationError
from api.migrations import migrate as run


@click.command()
@click.option("--restored", is_flag=True, help="The database was restored to an earlier point: raise the epoch.")
def migrate(restored: bool) -> None:
    """Create or upgrade the database. Safe to run twice, and from several places at once.

    TASKFOLD_MIGRATE_URL names the owner of the tables, TASKFOLD_DATABASE_URL the role that serves.
    """
    serving_url = os.environ.get("TASKFOLD_DATABASE_URL")
    if not serving_url:
        return fail("TASKFOLD_DATABASE_URL: is not set")
    try:
        done = run(os.environ.get("TASKFOLD_MIGRATE_URL", serving_url), serving_url, restored=restored)
    except (MigrationError, psycopg.Error) as error:
        return fail(str(error).strip().replace("\n", " "))
    for line in done or ["nothing to do"]:
        click.echo(line)
    return None
