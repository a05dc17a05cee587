"""The scheduler: what is due happens once each, whoever keeps the time and whatever its clock does."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest

from api.failpoints import FailpointError, Saboteur, read
from api.scheduler import SchedulerSettings
from commands.ids import new_id
from domain import failpoints
from domain.instant import instant
from tests.api.clock import Clock, keeping
from tests.house import Client, House, until


def soon(clock: Clock, **span: float) -> str:
    return instant(clock.now + timedelta(**span))


async def overdue(client: Client, **params: Any) -> set[str]:
    return {task["title"] for task in await client.items("/tasks", overdue="true", **params)}


async def test_what_is_due_is_overdue_once_from_then_on(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        due = soon(keeper.clock, hours=1)
        task = await ada.task("late", due_at=due)
        await ada.task("without a date")
        assert await keeper.run() == {}
        keeper.clock.pass_(hours=1)
        assert await keeper.run() == {"task.due_passed": 1}
        assert await keeper.run() == {}
        shown = (await ada.get(f"/tasks/{task['id']}")).json()
        assert (shown["overdue_since"], shown["version"]) == (due, 2)
        assert await overdue(ada, min_position=shown["position"]) == {"late"}
        (_, entry) = (await ada.get(f"/tasks/{task['id']}/history")).json()["items"]
        assert (entry["type"], entry["data"]) == ("task.due_passed", {"due_at": due})
        assert entry["actor"] == "00000000-0000-0000-0000-000000000000"


async def test_each_due_date_passes_once_however_often_the_task_is_closed(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("late", due_at=soon(keeper.clock, hours=1))
        path = f"/tasks/{task['id']}"
        await ada.post(f"{path}/complete")
        keeper.clock.pass_(hours=2)
        assert await keeper.run() == {}  # it was done by then
        reopened = await ada.post(f"{path}/reopen")
        assert await keeper.run() == {"task.due_passed": 1}
        for move in ("complete", "reopen", "start", "complete", "reopen"):
            reopened = await ada.post(f"{path}/{move}")
            assert await keeper.run() == {}
        assert reopened.json()["overdue_since"] == task["due_at"]
        later = await ada.call("PATCH", path, {"due_at": soon(keeper.clock, hours=1)})
        assert later.json()["overdue_since"] is None
        assert await keeper.run() == {}
        await ada.call("DELETE", path)
        keeper.clock.pass_(hours=2)
        assert await keeper.run() == {}  # it is in the trash
        await ada.post(f"{path}/restore")
        assert await keeper.run() == {"task.due_passed": 1}


async def test_a_clock_that_is_set_back_and_forth_makes_nothing_happen_twice_or_early(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        await ada.task("late", due_at=soon(keeper.clock, hours=1))
        keeper.clock.pass_(hours=-50)
        assert await keeper.run() == {}
        keeper.clock.pass_(hours=52)
        assert await keeper.run() == {"task.due_passed": 1}
        keeper.clock.pass_(hours=-5)
        assert await keeper.run() == {}
        keeper.clock.pass_(hours=10)
        assert await keeper.run() == {}


async def test_any_number_of_schedulers_let_each_thing_happen_once(house: House) -> None:
    ada = await house.user()
    clock = Clock()
    for n in range(30):
        await ada.task(f"late {n}", due_at=soon(clock, minutes=n))
    clock.pass_(hours=1)
    async with keeping(house, clock, most=4) as one, keeping(house, clock, most=7) as other:
        await one.reached()
        await other.scheduler.start()
        await one.scheduler.run_once()
        await one.reached()
        await other.scheduler.run_once()
        await other.scheduler.stop()
        both = one.scheduler.happened + other.scheduler.happened
        assert both == {"task.due_passed": 30}
    assert len(await overdue(ada, limit=200)) == 30


async def test_what_another_worker_keeps_the_timers_of_is_left_to_it_for_a_moment(house: House) -> None:
    ada = await house.user()
    clock = Clock()
    await ada.task("late", due_at=soon(clock, hours=1))
    clock.pass_(hours=1)
    async with keeping(house, clock, new_id()) as stranger, keeping(house, clock, house.projector.lease) as keeper:
        assert await stranger.run() == {}
        assert await stranger.scheduler.run_once() == pytest.approx(3.0)
        assert await keeper.run() == {"task.due_passed": 1}
        await ada.task("later", due_at=soon(clock, hours=1))
        clock.pass_(hours=1, seconds=3)
        assert await stranger.run() == {"task.due_passed": 1}  # where the other one does not come to it


async def test_what_was_due_meanwhile_comes_first_and_in_order(house: House) -> None:
    ada = await house.user()
    async with keeping(house, most=3, at_once=1) as keeper:
        tasks = [await ada.task(f"t{n}", due_at=soon(keeper.clock, minutes=10 - n)) for n in range(8)]
        keeper.clock.pass_(days=3)
        assert await keeper.run() == {"task.due_passed": 8}
    shown = [(await ada.get(f"/tasks/{task['id']}")).json() for task in tasks]
    assert [task["title"] for task in sorted(shown, key=lambda task: task["position"])] == [
        f"t{n}" for n in range(7, -1, -1)
    ]


async def test_it_says_how_long_there_is_nothing_to_do(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        await keeper.reached()
        assert await keeper.scheduler.run_once() == 10.0
        await ada.task("soon", due_at=soon(keeper.clock, seconds=4))
        await ada.task("later", due_at=soon(keeper.clock, days=4))
        await keeper.reached()
        assert await keeper.scheduler.run_once() == pytest.approx(4.0)
        keeper.clock.pass_(seconds=5)
        assert await keeper.run() == {"task.due_passed": 1}
        assert await keeper.scheduler.run_once() == 10.0
        assert keeper.clock.now > datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "place", [failpoints.SCHEDULER_FOUND, failpoints.EXECUTOR_DECIDED, failpoints.EXECUTOR_APPENDED]
)
async def test_who_takes_over_from_one_that_broke_off_does_nothing_twice(house: House, place: str) -> None:
    ada = await house.user()
    clock = Clock()
    for n in range(20):
        task = await ada.task(f"late {n}", due_at=soon(clock, minutes=n))
        await ada.post(f"/tasks/{task['id']}/reminders", {"at": soon(clock, minutes=n)})
    clock.pass_(hours=1)
    happened: Counter[str] = Counter()
    for arrival in (1, 7, 100):
        async with keeping(house, clock, most=5) as keeper:
            await keeper.reached()
            failpoints.install(Saboteur(read(f"{place}=raise@{arrival}", "")).reached)
            try:
                await keeper.scheduler.run_once()
            except FailpointError:
                pass
            finally:
                failpoints.install(None)
    async with keeping(house, clock) as keeper:
        await keeper.run()
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT name FROM events WHERE name IN ('reminder.fired', 'task.due_passed')")
        happened.update(name for (name,) in await cursor.fetchall())
    assert happened == {"task.due_passed": 20, "reminder.fired": 20}


async def test_while_nothing_is_due_it_asks_once_in_so_long_and_not_more_often(house: House) -> None:
    ada = await house.user()
    assert SchedulerSettings().longest == 10.0
    nowhere = "redis://127.0.0.1:1"  # the run's tests share one Redis: its hints are of others too
    async with keeping(house, longest=0.5, redis_url=nowhere) as keeper:
        await ada.task("later", due_at=soon(keeper.clock, days=4))
        await keeper.reached()
        await keeper.scheduler.start()
        await until(lambda: keeper.scheduler.looks >= 1)
        began, asked, looks = monotonic(), keeper.asked(), keeper.scheduler.looks
        await until(lambda: keeper.scheduler.looks >= looks + 3)
        assert keeper.asked() - asked == 3  # of the database, by whatever it does besides
        assert monotonic() - began >= 1.4
        await keeper.scheduler.stop()


async def test_a_moment_that_comes_to_be_while_it_sleeps_wakes_it(house: House) -> None:
    ada = await house.user()
    async with keeping(house, shortest=0.0) as keeper:
        await keeper.scheduler.start()
        await keeper.scheduler._listener.connected.wait()
        task = await ada.task("late", due_at=soon(keeper.clock, hours=-1))
        await until(lambda: keeper.scheduler.happened["task.due_passed"] == 1)
        await keeper.scheduler.stop()
        assert (await ada.get(f"/tasks/{task['id']}")).json()["overdue_since"] == task["due_at"]
