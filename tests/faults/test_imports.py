"""A board is imported while its worker is killed: an equal board, no task twice, harmless text, little memory.

`make faults-import` does the same with 100,000 tasks and programs that are killed from outside.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.job_worker import JobWorker
from domain import failpoints
from tests.api.importing import JSONL, send, worker
from tests.faults.boards import FORMULAS, Names, board, made_up
from tests.faults.imports import MOST_BYTES, play
from tests.house import Client, House

COUNT = 250


class Killed(BaseException):
    """Stands for the end of a process: nothing catches it."""


@contextmanager
def killing(place: str, arrival: int) -> Iterator[list[int]]:
    """The program ends as it comes to a place for the so-many-th time. Gives how often it came there."""
    arrivals = [0]

    def hook(name: str) -> None:
        arrivals[0] += name == place
        if name == place and arrivals[0] == arrival:
            raise Killed

    failpoints.install(hook)
    try:
        yield arrivals
    finally:
        failpoints.install(None)


async def _at_it(working: JobWorker) -> None:
    """Do the job as soon as the lease of the one before is over."""
    while not await working.run_once():
        pass


async def names_of(house: House, ada: Client) -> Names:
    """The people and projects of the board."""
    eve = await house.user()
    workspace_id = house.services.identify(ada.headers["Authorization"]).workspace_id
    projects = {}
    for key in ("APP", "OPS"):
        made = await ada.post("/projects", {"name": key, "key": key})
        projects[key] = made.json()["id"]
        added = await ada.call("PUT", f"/projects/{projects[key]}/members/{eve.id}", {"role": "editor"})
        assert added.status_code == 200, added.text
    return Names(workspace_id, {user.tokens["user"]["email"]: user.id for user in (ada, eve)}, projects)


async def test_a_board_is_whole_however_often_its_worker_ends(house: House) -> None:
    ada = await house.user()
    names = await names_of(house, ada)
    response = await send(ada, "".join(made_up(COUNT, names, "short")).encode(), JSONL)
    path = response.headers["Location"].removeprefix("/api/v1")
    for arrival in (1, 2):
        with killing(failpoints.IMPORT_WRITTEN, arrival) as arrivals:
            async with worker(house, lease_seconds=0.05) as working:
                with pytest.raises(Killed):
                    await _at_it(working)
        assert arrivals == [arrival]
        assert (await ada.get(path)).json()["state"] == "running"
    async with worker(house) as working:
        await _at_it(working)
    job = (await ada.get(path)).json()
    assert (job["state"], job["counts"]["created"], job["counts"]["incomplete"]) == ("done", COUNT, 0), job
    await ada.get("/tasks", min_position=job["position"])
    found = board(house.owner_url, names)
    assert len(found) == COUNT
    assert len({task["title"].rpartition(" ")[0] for task in found.values()} & set(FORMULAS)) > len(FORMULAS) / 2
    assert any(task["links"] for task in found.values())
    assert any(task["parent"] for task in found.values())


@pytest.mark.faults
async def test_many_tasks_come_in_while_the_worker_is_killed_from_outside(tmp_path: Path) -> None:
    said: list[str] = []
    peaks = await play(tmp_path, 3_000, 3, "1", said.append)
    assert max(peaks.most.values()) < MOST_BYTES, said
