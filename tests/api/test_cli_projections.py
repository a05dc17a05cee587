"""`taskfold projections`: what an operator sees and does, with workers running beside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner
from psycopg import AsyncConnection

from api.cli import main
from api.cli.progress import duration, line
from api.services import make_redis
from commands.ids import new_id
from projections.pacing import ProjectorSettings
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.house import SECRET, Client, Database, House, Servers

QUICK = ProjectorSettings(poll_seconds=0.02, retry_seconds=0.02, longest_retry_seconds=3_600, share=1.0)


@pytest.fixture(autouse=True)
def environment(database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"DATABASE_URL": database.serving_url, "REDIS_URL": servers.redis_url, "SECRET_KEY": SECRET}
    for name, value in settings.items():
        monkeypatch.setenv(f"TASKFOLD_{name}", value)


@pytest.fixture
async def still(database: Database, servers: Servers) -> AsyncIterator[House]:
    """A house in which nothing projects by itself."""
    async with House.open(database, servers, projecting=False, read_wait_ms=30_000) as house:
        yield house


@asynccontextmanager
async def _worked(house: House, servers: Servers, settings: ProjectorSettings) -> AsyncIterator[House]:
    redis = make_redis(servers.redis_url)
    projector = Projector(house.pool, redis, new_id(), settings)
    await projector.start()
    yield house
    await projector.stop()
    await redis.aclose()


@pytest.fixture
async def working(still: House, servers: Servers) -> AsyncIterator[House]:
    """A house with a worker that tries again at once, and then more and more seldom."""
    async with _worked(still, servers, QUICK) as house:
        yield house


@pytest.fixture
async def patient(still: House, servers: Servers) -> AsyncIterator[House]:
    """A house with a worker that never tries again by itself."""
    async with _worked(still, servers, replace(QUICK, retry_seconds=3_600)) as house:
        yield house


async def run(*arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, main, ["projections", *arguments])
    return done.exit_code, done.output


async def listed() -> list[list[str]]:
    """The rows of `list`: workspace, projection, build, position, lag, state."""
    status, said = await run("list")
    assert status == 0, said
    return [text.split(maxsplit=5) for text in said.splitlines()[1:]]


async def written(house: House, *titles: str) -> tuple[Client, list[dict[str, object]]]:
    """A user with tasks, which the lists show."""
    ada = await house.user()
    tasks = [await ada.task(title) for title in titles]
    await ada.get("/tasks", min_position=tasks[-1]["position"])
    await ada.get("/users", min_position=tasks[-1]["position"])
    return ada, tasks


async def alter(house: House, title: str) -> None:
    """Damage the rows of the tasks, as no program of ours would."""
    async with await AsyncConnection.connect(house.owner_url) as owner:
        await owner.execute("UPDATE tasks SET title = %s WHERE version = 1", (title,))


async def test_projections_are_listed(still: House) -> None:
    ada = await still.user()
    await ada.task()
    await still.user("elsewhere")
    assert await listed() == []
    await still.project()
    await ada.task()
    assert await listed() == [
        *(["elsewhere", name, "1", "2", "0", "ok"] for name in sorted(PROJECTIONS)),
        *(["main", name, "1", "3", "1", "behind"] for name in sorted(PROJECTIONS)),
    ]


async def test_a_rebuild_says_what_differs_swaps_and_can_be_taken_back(working: House) -> None:
    ada, tasks = await written(working, "a", "b", "c")
    await alter(working, "damaged")
    status, said = await run("rebuild", "tasks", "--show", "2")
    assert status == 0, said
    assert "tasks: 5 of 5 positions\n" in said
    assert "main: 3 of 3 rows differ\n" in said
    assert f"  task {tasks[0]['id']}:\n    title: 'damaged' is live, 'a' is new\n" in said
    assert "  … and 1 more\n" in said
    assert "main: build 2 of tasks is live" in said
    assert await ada.items("/tasks", sort="title") == tasks
    assert [row[1:] for row in await listed() if row[1] == "tasks"] == [
        ["tasks", "1", "5", "0", "kept"],
        ["tasks", "2", "5", "0", "ok"],
    ]
    late = await ada.task("d")
    await ada.get("/tasks", min_position=late["position"])
    status, said = await run("rollback", "tasks")
    assert (status, "main: build 1 of tasks is live again" in said) == (0, True), said
    titles = [item["title"] for item in await ada.items("/tasks", sort="title", min_position=late["position"])]
    assert titles == ["d", "damaged", "damaged", "damaged"]
    status, said = await run("discard", "tasks")
    assert (status, said) == (0, "main: build 2 of tasks is gone, with 4 rows\n")
    assert (await run("discard", "tasks"))[1] == "tasks: there is no build but the live one\n"
    status, said = await run("rollback", "tasks")
    assert (status, said) == (1, "error: tasks has no earlier build to go back to\n")
    assert len(await ada.items("/tasks")) == 4


async def test_a_check_compares_and_leaves_the_swap_to_the_operator(working: House) -> None:
    ada, tasks = await written(working, "a")
    assert (await run("swap", "tasks"))[0] == 1
    status, said = await run("rebuild", "tasks", "--check")
    assert (status, "main: 0 of 1 rows differ\n" in said) == (0, True), said
    async with await AsyncConnection.connect(working.owner_url) as owner:
        await owner.execute("UPDATE tasks SET title = 'damaged' WHERE build = 1")
    status, said = await run("rebuild", "tasks", "--check")
    assert (status, "main: 1 of 1 rows differ\n" in said) == (1, True), said
    assert (await ada.items("/tasks"))[0]["title"] == "damaged"
    assert [row[2:] for row in await listed() if row[1] == "tasks"][1][3] == "filling"
    assert (await run("rebuild", "tasks", "--no-swap"))[0] == 0
    status, said = await run("swap", "tasks")
    assert (status, "build 2 of tasks is live" in said) == (0, True), said
    assert await ada.items("/tasks") == tasks


async def test_a_rebuild_of_one_workspace_leaves_the_others_alone(working: House) -> None:
    await written(working, "a")
    eve = await working.user("elsewhere")
    await eve.get("/users", min_position=2)
    assert (await run("rebuild", "users", "--workspace", "elsewhere"))[0] == 0
    assert [row[:3] for row in await listed() if row[1] == "users"] == [
        ["elsewhere", "users", "1"],
        ["elsewhere", "users", "2"],
        ["main", "users", "1"],
    ]
    assert len(await eve.items("/users")) == 1
    status, said = await run("rebuild", "users", "--workspace", "nowhere")
    assert (status, said) == (1, "error: no workspace has the slug 'nowhere'\n")
    assert (await run("rebuild", "nothing"))[0] == 2


async def failing(where: str = "") -> str:
    """Wait until the list says that the tasks stop there."""
    async with asyncio.timeout(20):
        while True:
            for row in await listed():
                if row[1] == "tasks" and row[5].startswith(f"failing{where}: "):
                    return row[5]


async def test_an_event_that_stops_a_projection_is_shown_and_can_be_passed_over(working: House) -> None:
    ada, (task,) = await written(working, "before")
    poison = await working.insert_event(str(task["id"]), "task.exploded", {"why": "dynamite"})
    after = await ada.task("after")
    said = await failing(f" at {poison}")
    assert said == f"failing at {poison}: UnknownEvent: no event is known as 'task.exploded' version 1"
    database = (await working.http.get(f"{working.base}/readyz")).json()["database"]
    shown = next(row for row in database["projections"] if row["name"] == "tasks")
    assert shown["failing"] == 1
    assert [(row["failed_at"], row["error"]) for row in shown["first_failing"]] == [(poison, "UnknownEvent")]

    other = ["pass-over", "tasks", "--workspace", "main", "--position", str(poison + 1), "--reason", "gone"]
    assert await run(*other) == (1, f"error: tasks stops at {poison}, asked to pass over {poison + 1}\n")
    assert await run(*other[:5], str(poison), "--reason", " ") == (1, "error: --reason: must say why\n")
    # Its worker would not try again for an hour.
    status, said = await run(*other[:5], str(poison), "--reason", "a bad upgrade")
    assert (status, said.splitlines()[-1]) == (0, f"tasks: position {poison} of main is passed over: a bad upgrade")
    titles = [item["title"] for item in await ada.items("/tasks", sort="title", min_position=after["position"])]
    assert titles == ["after", "before"]
    assert f"passed over: main tasks position {poison} (task.exploded) by " in (await run("list"))[1]
    # Whoever folds the log itself goes on as well.
    assert (await ada.get(f"/tasks/{task['id']}")).json()["title"] == "before"
    fed = [item["position"] for item in await ada.items("/changes")]
    assert fed == [task["position"], after["position"]]
    history = await ada.items(f"/tasks/{task['id']}/history")
    assert [(entry["type"], entry["changes"] == {}) for entry in history] == [
        ("task.created", False),
        ("task.exploded", True),
    ]
    assert history[1]["passed_over"] is True
    assert (await run("rebuild", "tasks"))[0] == 0


async def test_an_event_that_was_cured_is_tried_again_on_request(patient: House) -> None:
    ada, (task,) = await written(patient, "a")
    poison = await patient.insert_event(str(task["id"]), "task.exploded", {})
    await failing()
    await patient.mend_event(poison, "task.unassigned")
    assert await run("retry", "tasks") == (0, "tasks: 1 build is tried again\n")
    assert len(await ada.items("/tasks", min_position=poison)) == 1
    assert await run("retry", "tasks", "--workspace", "main") == (0, "tasks: 0 builds are tried again\n")


async def test_a_rebuild_that_cannot_come_as_far_as_the_live_build_says_where_it_stops(working: House) -> None:
    ada, (task,) = await written(working, "a")
    changed = await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "b"})
    at = int(changed.headers["Taskfold-Position"])
    await ada.get("/tasks", min_position=at)
    await working.mend_event(at, "task.exploded")
    status, said = await run("rebuild", "tasks")
    assert status == 1
    assert f"error: main: build 2 stops at position {at}: UnknownEvent: " in said
    assert (await ada.items("/tasks"))[0]["title"] == "b"


def test_progress_says_what_is_done_and_left() -> None:
    assert line(1_200, 4_800, 600) == "1,200 of 4,800 positions (25 %), 600 a second, 6 s left"
    assert line(0, 10, 0) == "0 of 10 positions (0 %), no worker is at it yet"
    assert [duration(seconds) for seconds in (8, 200, 3_900)] == ["8 s", "3 min 20 s", "1 h 5 min"]
