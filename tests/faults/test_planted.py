"""Bugs planted on purpose, one in each of five places: the laboratory catches each of them, and names the promise."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from domain import failpoints
from tests.faults.check import check, report
from tests.faults.kinds import cut_at_answer
from tests.faults.lab import Lab, laboratory
from tests.faults.load import Style
from tests.faults.planted import forget_lease
from tests.faults.promises import Promise
from tests.faults.run import Crowd, Plan

WHO = {
    "skip_event": "worker 1",
    "publish_early": "worker 1",
    "drop_frame": "API 1",
    "double_apply": "API 1",
}


async def named(lab: Lab, during: Callable[[Crowd], Awaitable[None]]) -> set[Promise]:
    """The promises that were not kept in a run."""
    plan = Plan(lab.rig.story[0], writers=16, style=Style(shared=60, patience=5.0, reads=0.3), rest=20.0)
    violations = check(await lab.record(plan, during))
    print(report(violations))  # noqa: T201  (for the one who reads about a failure)
    return {violation.promise for violation in violations}


async def under(bug: str, folder: Path, during: Callable[[Lab, Crowd], Awaitable[None]]) -> set[Promise]:
    """The promises that a bug breaks."""
    async with laboratory(folder, f"planted/{bug}", apis=1, workers=1, start=False) as lab:
        lab.rig.plant(WHO[bug], bug)
        lab.rig.start_programs()
        return await named(lab, lambda crowd: during(lab, crowd))


async def some_load(_: Lab, crowd: Crowd) -> None:
    assert await crowd.load.more(400)


async def cuts(lab: Lab, crowd: Crowd) -> None:
    """Commits whose answer does not arrive."""
    for _ in range(4):
        assert await crowd.load.more(100)
        await cut_at_answer(lab, crowd.load)
    assert await crowd.load.more(20)


async def test_a_projector_that_skips_events_is_caught(tmp_path: Path) -> None:
    promises = await under("skip_event", tmp_path, some_load)
    assert promises >= {Promise.ROWS_ARE_THE_FOLD, Promise.NO_HOLE}
    assert Promise.AT_THE_HEAD not in promises


async def test_a_projector_that_publishes_before_its_commit_is_caught(tmp_path: Path) -> None:
    assert Promise.PUBLISHED_AFTER_COMMIT in await under("publish_early", tmp_path, some_load)


async def test_a_hub_that_drops_frames_is_caught(tmp_path: Path) -> None:
    assert await under("drop_frame", tmp_path, some_load) == {Promise.NO_HOLE}


async def test_a_committer_that_applies_twice_is_caught(tmp_path: Path) -> None:
    promises = await under("double_apply", tmp_path, cuts)
    assert promises >= {Promise.NO_EFFECT_UNKNOWN, Promise.TRUE_RECEIPT}


async def test_a_worker_that_writes_without_its_lease_is_caught(tmp_path: Path) -> None:
    promises = await overtaken(tmp_path, forget_lease.plant)
    assert Promise.ONE_WRITER in promises


async def test_a_worker_that_wakes_up_when_another_has_its_lease_is_fenced_off(tmp_path: Path) -> None:
    assert await overtaken(tmp_path, lambda _: None) == set()


async def overtaken(folder: Path, plant: Callable[[str], None]) -> set[Promise]:
    """The promises that are broken when a worker stops between its reading and its writing, and goes on when another
    one has taken its place.
    """
    async with laboratory(folder, "planted/forget_lease", apis=1, workers=2, start=False) as lab:
        plant(lab.rig.postgres.owner_url)
        lab.rig.set("worker 1", TASKFOLD_FAILPOINTS=f"{failpoints.PROJECTOR_READ}=stop@60")
        lab.rig.held.add("worker 1")
        lab.rig.start("worker 1")
        lab.rig.start("API 1")

        async def during(crowd: Crowd) -> None:
            lab.rig.start("worker 2")
            assert await crowd.load.more(100)
            stopped = lab.rig.bell.until(lambda: lab.rig.stopped_itself("worker 1"), most=60)
            assert await stopped, "it never stopped"
            head = crowd.load.head
            overtaken = lab.rig.bell.until(lambda: any(read.position > head for read in crowd.load.reads[-9:]), most=60)
            assert await overtaken, "nobody took its place"
            lab.rig.go_on("worker 1")
            assert await crowd.load.more(400)

        return await named(lab, during)


@pytest.mark.parametrize("bug", WHO)
def test_no_bug_is_in_the_program_itself(bug: str) -> None:
    """Nothing of the program knows the plants: whoever does not start them has none."""
    root = Path(__file__).parents[2]
    for room in ("api", "commands", "domain", "projections"):
        for file in (root / room).rglob("*.py"):
            assert bug not in file.read_text(), file
