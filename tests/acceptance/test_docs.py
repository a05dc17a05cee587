"""The documents say what is true: the README's tour works as it stands, links lead somewhere, lists are complete."""

import ast
import asyncio
import itertools
import json
import os
import re
import signal
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from api.batch.types import TYPES
from api.settings import PREFIX, Settings
from api.sockets.connection import RESTARTING, Connection
from api.version import VERSION
from domain import failpoints
from domain.events import registered
from domain.policy import Action
from projections import sight
from tests.house import House

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "commands", "domain", "projections")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("migrations/*.md")])
PATIENCE = 120.0


class Process:
    """A program whose output is read line by line as it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, wanted: str, start: int = 0) -> int:
        """Read on to a line, from `start` on, that contains the text. Answers the line's number."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while True:
                for number in range(start, len(self.lines)):
                    if wanted in self.lines[number]:
                        return number
                start = len(self.lines)
                line = await self.process.stdout.readline()
                assert line, f"it ended before it said {wanted!r}:\n" + "\n".join(self.lines)
                self.lines.append(line.decode().rstrip())

    async def drain(self) -> None:
        """Read to the end, so that it never waits for a reader."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())


@asynccontextmanager
async def started(*argv: str, stdin: int = asyncio.subprocess.DEVNULL) -> AsyncIterator[Process]:
    """Start a program in the checkout; its output and its errors are one stream. All that it started ends with it."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=ROOT,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
        start_new_session=True,
    )
    try:
        yield Process(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class Shell:
    """A shell that somebody pastes blocks into."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.pasted = 0

    async def paste(self, block: str) -> list[str]:
        """Run a block. Answers what it printed; fails where a command of it does."""
        self.pasted += 1
        done = f"-- block {self.pasted} is done --"
        start = len(self.process.lines)
        assert self.process.process.stdin is not None
        self.process.process.stdin.write(f"{block}\necho '{done}'\n".encode())
        await self.process.process.stdin.drain()
        end = await self.process.until(done, start)
        return self.process.lines[start:end]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[str]:
    """The program as `make run` starts it, on a free port. Answers host and port."""
    argv = (sys.executable, "-m", "api.cli", "dev", "--port", "0", "--data-dir", str(tmp_path / "data"))
    async with started(*argv) as dev:
        banner = await dev.until("API  ")
        draining = asyncio.create_task(dev.drain())
        yield dev.lines[banner].split("http://")[1]
        dev.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            await dev.process.wait()
            await draining


def tour(address: str) -> list[str]:
    """The blocks that the README asks its reader to paste, in order; for a service at another address."""
    text = (ROOT / "README.md").read_text().replace("127.0.0.1:8000", address)
    watch = f"{Path(sys.executable).with_name('taskfold')} watch --url ws://{address}/ws/tasks"
    return re.findall(r"^```sh\n(.*?)^```", text.replace(".venv/bin/taskfold watch", watch), re.MULTILINE | re.DOTALL)


def bodies(lines: list[str]) -> list[dict[str, object]]:
    """The JSON documents among the lines."""
    return [json.loads(line) for line in lines if line.startswith("{")]


async def test_the_tour_of_the_readme_works_as_it_stands(service: str) -> None:
    blocks = tour(service)
    register, login, assign, complete, refuse, mine, find, recur, batch, history, watch, cancel, story = blocks
    async with started("bash", "-e", "-o", "pipefail", stdin=asyncio.subprocess.PIPE) as process:
        shell = Shell(process)
        assert [await shell.paste(block) for block in (register, login)] == [[], []]

        [assigned] = bodies(await shell.paste(assign))
        assert assigned["assignee"] == {"type": "user", "id": assigned["created_by"]}
        printed = await shell.paste(complete)
        begun, done, again = bodies(printed)
        assert (begun["status"], done["status"], again) == ("in_progress", "done", done)
        assert [line for line in printed if "replayed" in line] == ["idempotency-replayed: true"]

        [refusal] = bodies(await shell.paste(refuse))
        assert refusal["code"] == "task.illegal_move"
        assert refusal["allowed"] == ["reopen"]
        [listed] = bodies(await shell.paste(mine))
        assert [task["id"] for task in listed["items"]] == [assigned["id"]]  # type: ignore[attr-defined]
        sought, put_right, wrong = bodies(await shell.paste(find))
        assert [task["id"] for page in (sought, put_right) for task in page["items"]] == [assigned["id"]] * 2  # type: ignore[attr-defined]
        assert (wrong["code"], wrong["column"]) == ("query.invalid", 9)
        _, preview = bodies(await shell.paste(recur))
        assert [item["local"][:10] for item in preview["items"]] == ["2030-02-22", "2030-03-29", "2030-04-26"]  # type: ignore[attr-defined]
        foreseen, undone = bodies(await shell.paste(batch))
        assert foreseen["would_do"] == 2
        assert [event["type"] for event in undone["written"]] == ["task.unassigned", "task.deleted"]  # type: ignore[attr-defined]
        events, feed = bodies(await shell.paste(history))
        assert [len(page["items"]) for page in (events, feed)] == [5, 12]  # type: ignore[arg-type]

        start = len(process.lines)
        await shell.paste(watch)
        await process.until("connected at position", start)
        await process.until(f"({assigned['id']} v5)", start)
        start = len(process.lines)
        await shell.paste(cancel)
        shown = process.lines[await process.until(f"({assigned['id']} v6)", start)]
        assert "cancelled" in shown
        assert await shell.paste(story) == [
            f"task.{fact}" for fact in ("created", "assigned", "started", "completed", "reopened", "cancelled")
        ]
        await shell.paste("kill %1; wait %1 || true")


class Board(dict[str, Any]):
    """The tasks of a client, and a sign that something changed."""

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.news.set()

    def pop(self, *arguments: Any) -> Any:
        self.news.set()
        return super().pop(*arguments)

    def update(self, *arguments: Any, **more: Any) -> None:
        super().update(*arguments, **more)
        self.news.set()

    async def becomes(self, expected: dict[str, Any]) -> None:
        async with asyncio.timeout(30):
            while dict(self) != expected:
                self.news.clear()
                await self.news.wait()


async def test_the_client_of_the_guide_shows_what_the_server_has_across_cuts_and_resyncs(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    [source] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/api.md").read_text(), re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    ada = await house.user()
    bob = await house.user()
    reads = 0

    async def read_lists(position: int) -> list[dict[str, Any]]:
        nonlocal reads
        reads += 1
        items: list[dict[str, Any]] = (await bob.get("/tasks", min_position=position)).json()["items"]
        return items

    async def cut() -> None:
        """What a restart does to a socket."""
        feed = await house.services.hub.feed(await workspace())
        for socket in list(feed.subscribers):
            assert isinstance(socket, Connection)
            socket.end(RESTARTING, "server restarting")

    async def workspace() -> str:
        return house.services.identify(bob.headers["Authorization"]).workspace_id

    board = Board()
    mine = await bob.task("mine")
    following = asyncio.create_task(
        namespace["follow"](house.base.replace("http", "ws"), bob.tokens["access_token"], board, read_lists)
    )
    try:
        await board.becomes({mine["id"]: mine})
        given = await ada.task("given", assignee={"id": bob.id})
        assigned = (await ada.get(f"/tasks/{given['id']}")).json()
        await board.becomes({mine["id"]: mine, given["id"]: assigned})
        await cut()
        await ada.post(f"/tasks/{given['id']}/unassign")
        started = (await bob.post(f"/tasks/{mine['id']}/start")).json()
        await board.becomes({mine["id"]: started})
        assert reads == 1, "a resume needs no list"
        promoted = await ada.call("PUT", f"/users/{bob.id}/role", {"role": "manager"})
        assert promoted.status_code == 200
        unassigned = (await ada.get(f"/tasks/{given['id']}")).json()
        await board.becomes({mine["id"]: started, given["id"]: unassigned})
        assert reads == 1, "what comes to be seen is told task by task"
        monkeypatch.setattr(sight, "MOST", 0)
        assert (await ada.call("PUT", f"/users/{bob.id}/role", {"role": "member"})).status_code == 200
        await board.becomes({mine["id"]: started})
        assert reads == 2, "too much to tell is read again"
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if "://" not in target:
                yield document, target


def anchors(document: Path) -> set[str]:
    """The names of its headings, as a browser of Markdown makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for document, target in links():
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_file_that_the_documents_name_is_there() -> None:
    named = {
        (document, name)
        for document in DOCUMENTS
        for name in re.findall(
            r"`((?:api|commands|domain|projections|tests|docs|deploy)/[\w./-]+)`", document.read_text()
        )
    }
    missing = [f"{document.relative_to(ROOT)}: {name}" for document, name in named if not (ROOT / name).exists()]
    assert named
    assert sorted(missing) == []


def strings() -> Iterator[str]:
    """Every text constant of the program."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


# What looks like a code and is none: file names, columns, loggers, modules, a message of ASGI.
NO_CODES = re.compile(r".*\.(py|pid|conf|sql|pdf)|[crt]\..*|(uvicorn|psycopg|api|taskfold|websocket|http)\..*")


def codes() -> set[str]:
    """Every problem code in the program: a noun, a dot, and what is the matter."""
    others = {name for name, _ in registered()} | {action.value for action in Action} | failpoints.ALL
    others |= set(TYPES)
    found = {text for text in strings() if re.fullmatch(r"[a-z_]+\.[a-z_]+", text)}
    return {text for text in found - others if not NO_CODES.fullmatch(text)}


def test_every_problem_code_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", (ROOT / "docs/problems.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(codes())


def test_every_setting_is_documented_and_no_other() -> None:
    text = (ROOT / "docs/operating.md").read_text()
    documented = re.findall(rf"^\| `({PREFIX}[A-Z_]+)` \|", text, re.MULTILINE)
    assert sorted(documented) == sorted(PREFIX + name.upper() for name in Settings.model_fields)


def test_every_dependency_is_explained_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in declared]  # type: ignore[index]
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(names)


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()
