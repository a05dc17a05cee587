"""A board is imported by the whole program while its worker is killed, and comes out equal, with no task twice.

`python -m tests.faults.imports --tasks 100000 --kills 6` makes up a file, imports it into a first workspace, exports
that board, imports the export into an empty workspace under kills, and compares the boards. It also says the rate.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final

import click
import httpx
import psycopg
import uvloop

from domain import failpoints
from tests.faults.boards import Names, board, made_up
from tests.faults.hearing import next_look
from tests.faults.rig import Rig
from tests.faults.run import ready
from tests.house import PASSWORD

PEOPLE: Final = ("ada", "bob", "eve")
KEYS: Final = ("APP", "OPS")
MOST_BYTES: Final = 200_000_000
PIECE: Final = 262_144


@dataclass
class Outcome:
    """What an import came to."""

    job: dict[str, Any]
    seconds: float
    kills: int


@dataclass
class Peaks:
    """The most memory that each process had, in bytes: by part and process id, as the kernel says."""

    most: dict[str, int] = field(default_factory=dict)

    def look(self, rig: Rig) -> None:
        """Now."""
        for part in rig.programs:
            if rig.is_alive(part):
                for text in Path(f"/proc/{rig.pid(part)}/status").read_text().splitlines():
                    if text.startswith("VmHWM:"):
                        self.most[part] = max(self.most.get(part, 0), int(text.split()[1]) * 1024)


class Site:
    """The program, two workspaces with the same people and projects, and whoever imports."""

    def __init__(self, rig: Rig, http: httpx.AsyncClient) -> None:
        self.rig = rig
        self.http = http
        self.peaks = Peaks()
        self.names: dict[str, Names] = {}
        self._headers: dict[str, dict[str, str]] = {}

    async def furnish(self, workspace: str) -> None:
        """People, projects, and everybody in them."""
        users: dict[str, str] = {}
        for name in PEOPLE:
            said = {"email": f"{name}@example.com", "password": PASSWORD, "display_name": name, "workspace": workspace}
            if workspace != "main" and users:
                said["invite"] = await self._invite(workspace, said["email"])
            made = await self.http.post("/auth/register", json=said)
            assert made.status_code == 201, made.text
            users[said["email"]] = made.json()["user"]["id"]
            self._headers.setdefault(workspace, {"Authorization": f"Bearer {made.json()['access_token']}"})
        projects = {}
        for key in KEYS:
            answer = await self.ask("POST", workspace, "/projects", json={"name": key, "key": key})
            projects[key] = answer["id"]
            for user_id in users.values():
                await self.ask("PUT", workspace, f"/projects/{answer['id']}/members/{user_id}", json={"role": "editor"})
        with psycopg.connect(self.rig.postgres.owner_url) as connection:
            row = connection.execute(
                "SELECT workspace_id::text FROM workspaces WHERE slug = %s", (workspace,)
            ).fetchone()
        assert row is not None
        self.names[workspace] = Names(row[0], users, projects)

    async def _invite(self, workspace: str, email: str) -> str:
        await self.ask("POST", workspace, "/users/invites", json={"email": email, "role": "member"})
        with psycopg.connect(self.rig.postgres.owner_url) as connection:
            row = connection.execute("SELECT body FROM outbox ORDER BY mail_id DESC LIMIT 1").fetchone()
        assert row is not None
        return str(row[0]).partition("invite=")[2].split()[0]

    async def ask(self, method: str, workspace: str, path: str, **more: Any) -> dict[str, Any]:
        """What is answered."""
        answer = await self.http.request(method, path, headers=self._headers[workspace], **more)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def run(self, workspace: str, file: Path, kill: Callable[[Mapping[str, Any]], bool]) -> Outcome:
        """Import a file, and kill the worker whenever `kill` says so of how the job stands."""
        began, kills = monotonic(), 0
        headers = {**self._headers[workspace], "Content-Type": "application/x-ndjson"}
        answer = await self.http.post("/tasks/import", content=_pieces(file), headers=headers, timeout=600)
        assert answer.status_code == 202, answer.text
        path = answer.headers["Location"].removeprefix("/api/v1")
        while True:
            job = await self.ask("GET", workspace, path)
            self.peaks.look(self.rig)
            if job["finished_at"] is not None:
                return Outcome(job, monotonic() - began, kills)
            if kill(job):
                kills += 1
                self.rig.kill("worker 1")
                self.rig.start("worker 1")
            await next_look(self.rig)  # where a job stands is in its row alone: clients look, too

    async def export(self, workspace: str, file: Path) -> int:
        """The board as a file of JSON Lines; how many tasks."""
        headers = self._headers[workspace]
        async with self.http.stream("GET", "/tasks/export?format=jsonl", headers=headers, timeout=600) as answer:
            assert answer.is_success, answer.status_code
            with file.open("wb") as out:
                async for piece in answer.aiter_bytes():
                    out.write(piece)
        self.peaks.look(self.rig)
        return int(answer.headers["Taskfold-Tasks"])


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as data:
        while piece := data.read(PIECE):
            yield piece


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """The program, ready, with both workspaces."""
    with Rig(folder) as rig:
        rig.start_programs()
        async with httpx.AsyncClient(base_url=f"{rig.bases[0]}/api/v1", timeout=60) as http:
            await ready(rig.bases, rig.bell)
            found = Site(rig, http)
            for workspace in ("main", "other"):
                await found.furnish(workspace)
            yield found


def never(_: Mapping[str, Any]) -> bool:
    """No kill."""
    return False


def spread(kills: int, seed: str) -> Callable[[Mapping[str, Any]], bool]:
    """So many kills, at moments of the whole job that the seed decides."""
    phases = {"reading": 0.0, "checking": 0.2, "writing": 0.4, "joining": 0.95}
    moments = sorted(Random(seed).uniform(0.02, 0.97) for _ in range(kills))

    def kill(job: Mapping[str, Any]) -> bool:
        progress = job["progress"]
        share = progress["done"] / max(1, progress["total"])
        length = 0.2 if progress["phase"] in ("reading", "checking") else 0.55
        at = phases.get(progress["phase"], 0.0) + length * share
        if not moments or at < moments[0]:
            return False
        moments.pop(0)
        return True

    return kill


async def play(folder: Path, tasks: int, kills: int, seed: str, tell: Callable[[str], None]) -> Peaks:
    """The whole of it. Raises `AssertionError` where a board is not equal."""
    async with site(folder) as place:
        file = folder / "board.jsonl"
        with file.open("w") as out:
            out.writelines(made_up(tasks, place.names["main"], seed))
        tell(f"a file of {tasks:,} tasks, {file.stat().st_size / 1e6:.1f} MB")
        first = await place.run("main", file, never)
        _tell(tell, "into the first workspace", first)
        assert first.job["counts"]["created"] == tasks, first.job
        await ready(place.rig.bases, place.rig.bell, 900)
        place.peaks.look(place.rig)
        assert await place.export("main", folder / "export.jsonl") == tasks
        place.rig.set("worker 1", TASKFOLD_FAILPOINTS=f"{failpoints.IMPORT_WRITTEN}=kill@2")
        second = await place.run("other", folder / "export.jsonl", spread(kills, seed))
        _tell(tell, "the export into the second, under kills", second)
        assert second.job["counts"]["created"] == tasks, second.job
        await ready(place.rig.bases, place.rig.bell, 900)
        place.peaks.look(place.rig)
        again = await place.run("other", folder / "export.jsonl", never)
        _tell(tell, "the same once more", again)
        assert (again.job["counts"]["created"], again.job["counts"]["present"]) == (0, tasks), again.job
        await ready(place.rig.bases, place.rig.bell, 900)
        url = place.rig.postgres.owner_url
        before, after = [_by_content(board(url, place.names[name])) for name in ("main", "other")]
        assert before == after, _difference(before, after)
        tell(f"both boards are equal: {len(after):,} tasks; {second.kills} kills of ours, and those of a failpoint")
        for part, most in sorted(place.peaks.most.items()):
            tell(f"{part}: {most / 1e6:.0f} MB at most")
        return place.peaks


def _tell(tell: Callable[[str], None], what: str, outcome: Outcome) -> None:
    made = outcome.job["counts"].get("created", 0) + outcome.job["counts"].get("present", 0)
    tell(f"{what}: {outcome.job['state']} in {outcome.seconds:.1f} s, {made / outcome.seconds:,.0f} tasks a second")


def _by_content(tasks: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tasks by their titles, each of which is there once, with titles in place of ids."""
    titles = {own: task["title"] for own, task in tasks.items()}
    assert len(set(titles.values())) == len(titles)
    return {
        task["title"]: {
            **task,
            "parent": titles.get(task["parent"]),
            "subtasks": sorted((titles[own], closed) for own, closed in task["subtasks"]),
            "links": sorted((kind, titles[own], closed) for kind, own, closed in task["links"]),
        }
        for task in tasks.values()
    }


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    for title in sorted(before.keys() | after.keys()):
        if before.get(title) != after.get(title):
            return f"{title!r}: {before.get(title)} is not {after.get(title)}"
    return ""


@click.command()
@click.option("--tasks", default=100_000, show_default=True)
@click.option("--kills", default=6, show_default=True)
@click.option("--seed", default="1", show_default=True)
def main(tasks: int, kills: int, seed: str) -> None:
    """Import a board under kills, and compare."""
    with TemporaryDirectory(prefix="taskfold-import-") as folder:
        peaks = uvloop.run(play(Path(folder), tasks, kills, seed, click.echo))
    most = max(peaks.most.values())
    assert most < MOST_BYTES, f"{most / 1e6:.0f} MB of memory are more than {MOST_BYTES / 1e6:.0f}"


if __name__ == "__main__":
    main()
