"""`taskfold import`: send a file of tasks, show how far it is, and say which lines are wrong."""

import http.client
import os
import shutil
import sys
from pathlib import Path
from time import sleep
from typing import Any, Final

import click

from api.cli import fail
from api.cli.calling import Api, Query, RefusedError
from api.cli.progress import rewritten
from domain.job import OnError

LOOK_SECONDS: Final = 0.5
SEND_SECONDS: Final = 3_600.0
SHOWN: Final = 20  # wrong lines
MEDIA_TYPES: Final = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "text/csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "application/x-ndjson"),
}


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the API is.")
@click.option("--token", envvar="TOKEN", help="An access token, or a personal one with the scope write; or TOKEN.")
@click.option("--format", "format_", type=click.Choice(["csv", "jsonl"]), help="Else the name of FILE says it.")
@click.option("--project", help="The id of the project that all tasks come into.")
@click.option("--source", help="Another one, and the same file makes new tasks.")
@click.option("--column", multiple=True, help="What a column is called in FILE: title:Summary.")
@click.option("--on-error", type=click.Choice([each.value for each in OnError]), default="stop", show_default=True)
@click.option("--dry-run", is_flag=True, help="Only check FILE.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here, as CSV.")
def importing(
    file: Path,
    url: str,
    token: str | None,
    format_: str | None,
    project: str | None,
    source: str | None,
    column: tuple[str, ...],
    on_error: str,
    dry_run: bool,
    report: Path | None,
) -> None:
    """Import the tasks of FILE, CSV or JSON Lines. Each is made once, however often it is imported.

    Ctrl-C leaves the job running: run the same command again to see how it stands.
    """
    token = token or os.environ.get("TOKEN")
    if not token:
        fail("give a token with --token or in the variable TOKEN")
        return
    asked = {"format": format_, "project_id": project, "source": source, "on_error": on_error}
    query: Query = {**{name: value for name, value in asked.items() if value}, "column": column}
    try:
        api = Api(url, token)
        job = _followed(api, _sent(api, file, {**query, "dry_run": str(dry_run).lower()}))
        if report is not None:
            _write(api, job, report)
        _tell(api, job)
    except (RefusedError, ValueError, OSError, http.client.HTTPException) as error:
        fail(str(error) or type(error).__name__)
        return
    sys.exit(0 if job["state"] == "done" and not _wrong(job) else 1)


def _wrong(job: dict[str, Any]) -> int:
    """How many lines were not written, or not as a whole."""
    counts = job["counts"]
    return int(counts.get("refused", 0) + counts.get("incomplete", 0))


def _sent(api: Api, file: Path, query: Query) -> dict[str, Any]:
    media_type = MEDIA_TYPES.get(file.suffix.lower(), "application/octet-stream")
    with file.open("rb") as data:
        return api.send("/tasks/import", query, data, file.stat().st_size, media_type, SEND_SECONDS)


def _followed(api: Api, job: dict[str, Any]) -> dict[str, Any]:
    """The job once it has ended. Where the API does not answer meanwhile, it is asked again."""
    show = rewritten()
    while job["finished_at"] is None:
        progress = job["progress"]
        unit = "bytes" if progress["phase"] in ("reading", "waiting") else "lines"
        show(f"{job['state']}, {progress['phase']}: {progress['done']:,} of {progress['total']:,} {unit}")
        sleep(LOOK_SECONDS)
        try:
            job = api.ask(f"/jobs/{job['id']}")
        except RefusedError as refusal:
            if not refusal.passes:
                raise RefusedError(f"{refusal}; job {job['id']} goes on", refusal.status) from refusal
            show(f"asked again: {refusal}")
        except (OSError, http.client.HTTPException) as error:
            show(f"asked again: {error}")
    show("", last=True)
    return job


def _tell(api: Api, job: dict[str, Any]) -> None:
    counts = ", ".join(f"{count:,} {name}" for name, count in job["counts"].items() if count)
    click.echo(f"job {job['id']} is {job['state']}: {counts or 'nothing'}")
    if job["problem"] is not None:
        click.echo(f"{job['problem']['code']}: {job['problem']['detail']}", err=True)
    if not _wrong(job):
        return
    page = api.ask(f"/jobs/{job['id']}/report", {"problems": "true", "limit": str(SHOWN)})
    for line in page["items"]:
        for told in line["problems"]:
            click.echo(f"line {line['line']}: {told['pointer'] or '/'}: {told['detail']} ({told['code']})", err=True)
    if page["next_cursor"] is not None:
        click.echo(f"… and more: GET /api/v1/jobs/{job['id']}/report?problems=true", err=True)


def _write(api: Api, job: dict[str, Any], report: Path) -> None:
    with api.open("GET", f"/jobs/{job['id']}/report", {"format": "csv"}) as answer, report.open("wb") as out:
        shutil.copyfileobj(answer, out)
