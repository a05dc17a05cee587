"""The scheduler: lets happen what is due, by the projection `timers`, and sleeps until the next moment.

It decides nothing. What it finds due it wakes, by a command whose decision looks at the log: so any number of them may
run, be killed and come back, and each thing happens once. What was due meanwhile comes first, in order, in batches.

Moments are those of the database's clock, which is one for all. How long to sleep is measured by the clock of this
machine that no one sets, and never longer than `longest`: a step of either clock delays nothing for longer than that.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout
from redis.asyncio import Redis

from commands.appending import Append, Fact, Outcome, Verdict
from commands.committer import Committer
from commands.deciding import Command
from commands.event_store import Pool
from commands.execute import Appender, Call, Executor
from commands.ids import new_id
from commands.purging import EmptyTrash, Purging
from commands.streams import Streams
from commands.waking import WakeTask
from domain import failpoints, messages
from domain.errors import Rejection
from domain.events import name_of
from domain.instant import Instant, instant
from domain.messages import PROJECTED_CHANNEL
from domain.system import SYSTEM
from domain.timers import CLOCKWORKS
from projections import timers
from projections.hints import Listener
from projections.timers import Due

log: Final = logging.getLogger(__name__)

AWAY: Final = (psycopg.Error, PoolTimeout, OSError)
LONGEST_BACK_OFF: Final = 300.0  # seconds
REMEMBERED: Final = 100_000

# What wakes a thing of a kind, by its id and the time.
WAKING: Final[Mapping[str, Callable[[str, Instant], Command]]] = {"task": WakeTask}


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """`longest`: seconds between two looks, however far off the next moment is; `shortest`: between two that hints ask
    for; `most`: things in one batch; `at_once`: commands under way; `trash`: how long things lie there before it is
    emptied, None: for ever; `deference`: seconds that it leaves to the worker that keeps the timers of a workspace.
    """

    longest: float = 10.0
    shortest: float = 0.2
    most: int = 500
    at_once: int = 128
    trash: timedelta | None = None
    deference: float = 3.0


class Scheduler:
    """One of any number. `lease` is that of the projector in the same worker: what another one keeps the timers of is
    left to that one for a moment, so that two do not do the same work. `clock` takes the place of the database's, for
    tests.

    `happened` counts events by their names; `failed` what was refused or could not be written; `looks` how often it
    asked for what is due; `late` is by how many seconds the last batch was late.
    """

    def __init__(
        self,
        pool: Pool,
        redis: Redis,
        committer: Committer,
        executor: Executor,
        streams: Streams,
        settings: SchedulerSettings | None = None,
        *,
        lease: str | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._pool = pool
        self._executor = executor
        self._streams = streams
        self._append = committer.append
        self._purging = Purging(pool, executor, streams, committer.append)
        self._settings = settings or SchedulerSettings()
        self._lease = lease
        self._clock = clock
        self._listener = Listener(redis, PROJECTED_CHANNEL, self._hinted)
        self._hint = asyncio.Event()
        self._stopping = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._room = asyncio.Semaphore(self._settings.at_once)
        self._done: dict[Due, int] = {}  # whose rows may still say that they are due: the position after them
        self._tries: Counter[Due] = Counter()
        self._again: dict[Due, float] = {}  # those that came to nothing, and when to try again
        self.happened: Counter[str] = Counter()
        self.failed = 0
        self.late = 0.0
        self.looks = 0

    async def start(self) -> None:
        """Begin in the background."""
        self._listener.start()
        self._main = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish what is under way, and end."""
        self._stopping.set()
        self._hint.set()
        if self._main is not None:
            await asyncio.gather(self._main, return_exceptions=True)
        await self._listener.stop()

    def _hinted(self, message: bytes) -> None:
        if messages.decode_projected(message).projection == timers.NAME:
            self._hint.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            began, pause = monotonic(), self._settings.longest
            try:
                pause = await self.run_once()
            except AWAY as error:
                log.warning("what is due was not found", extra={"error": str(error)})
            except Exception:  # a scheduler that ends in silence would remind nobody ever again
                log.exception("what is due was not found")
            await self._sleep(began, pause)

    async def _sleep(self, began: float, seconds: float) -> None:
        """Until the next moment, or until the timers have changed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._hint.wait()
                rest = began + self._settings.shortest - monotonic()
                if rest > 0 and not self._stopping.is_set():
                    await asyncio.sleep(rest)
        self._hint.clear()

    async def run_once(self) -> float:
        """Let happen all that is due now, in order. Answers for how many seconds there is nothing more to do."""
        last: Due | None = None
        pause = self._settings.longest
        while not self._stopping.is_set():
            found = await self._look(last)
            waits = [self._wait(each, found.now) for each in found.moments]
            due = [each for each, wait in zip(found.moments, waits, strict=True) if wait <= 0]
            pause = min(pause, *(wait for wait in waits if wait > 0), self._settings.longest)
            new = [each for each in due if self._is_new(each)]
            if new:
                failpoints.reach(failpoints.SCHEDULER_FOUND)
                self.late = (found.now - new[0].at).total_seconds()
                await self._wake(new, instant(found.now))
            if (last is None and not due) or len(self._done) > REMEMBERED:
                self._forget()
            if len(found.moments) < self._settings.most or found.moments[-1].at > found.now:
                return self._pause(pause)
            last = found.moments[-1]
        return 0.0

    def _wait(self, due: Due, now: datetime) -> float:
        """For how many seconds a moment is to be waited for; none where it is due."""
        return (due.at - now).total_seconds() + (0.0 if due.ours else self._settings.deference)

    async def _look(self, last: Due | None) -> timers.Look:
        now = None if self._clock is None else self._clock()
        settings = self._settings
        self.looks += 1
        async with self._pool.connection() as connection:
            return await timers.look(
                connection, now=now, most=settings.most, trash=settings.trash, after=last, lease=self._lease
            )

    def _is_new(self, due: Due) -> bool:
        """Whether it may still have to happen. Rows follow the log: what has just happened stays due for a moment."""
        key = _key(due)
        return due.position >= self._done.get(key, 0) and monotonic() >= self._again.get(key, 0.0)

    async def _wake(self, due: Sequence[Due], now: Instant) -> None:
        """A batch: their streams are read at once, and their commands committed together."""
        by_workspace: dict[str, list[Due]] = {}
        for each in due:
            by_workspace.setdefault(each.workspace_id, []).append(each)
        for workspace_id, some in by_workspace.items():
            ids = [id_ for each in some for id_ in CLOCKWORKS[each.kind].stream_ids(each.id)]
            try:
                await self._streams.refresh(workspace_id, ids)
            except (
                ValueError,
                Rejection,
            ) as error:  # one of them cannot be read; each is read again by its own command
                log.warning("streams were not read together", extra={"error": str(error)})
        await asyncio.gather(*(self._wake_one(each, now) for each in due))

    async def _wake_one(self, due: Due, now: Instant) -> None:
        key = _key(due)
        async with self._room:
            try:
                changed, self._done[key] = await self._execute(due, now)
            except Exception as error:  # one that cannot happen keeps no other from happening
                self.failed += 1
                self._back_off(key)
                log.warning("what was due did not happen", extra={"thing": due.id, "error": str(error)})
                return
        if not changed:
            self._back_off(key)  # another one was faster, or its rows are wrong: drift, which says so itself

    async def _execute(self, due: Due, now: Instant) -> tuple[bool, int]:
        """Wake it. Answers whether that changed anything, and up to which position the log says so."""
        call = Call(due.workspace_id, SYSTEM, new_id())
        facts: list[Fact] = []
        if due.empties:
            assert self._settings.trash is not None
            since = instant(datetime.fromisoformat(now) - self._settings.trash)
            receipt = await self._purging.execute(
                EmptyTrash(due.id, since), call, lambda append: _noting(append, facts)
            )
        else:
            command = WAKING[due.kind](due.id, now)
            receipt = await self._executor.execute(command, call, _noting(self._append, facts))
        self.happened.update(name_of(fact.event) for fact in facts)
        return bool(facts), receipt.position

    def _back_off(self, key: Due) -> None:
        """Leave it alone for a while, a longer one each time."""
        self._tries[key] += 1
        seconds = min(LONGEST_BACK_OFF, 0.1 * 4 ** min(self._tries[key], 10))
        self._again[key] = monotonic() + seconds

    def _forget(self) -> None:
        """Nothing is due: the rows have taken in all that happened. Or it is too much to remember."""
        self._done.clear()
        self._tries.clear()
        self._again.clear()

    def _pause(self, seconds: float) -> float:
        """How long to sleep, if nothing is to be tried again before."""
        now = monotonic()
        self._again = {key: at for key, at in self._again.items() if at > now}
        return min(self._settings.longest, seconds, *(at - now for at in self._again.values()))


def _key(due: Due) -> Due:
    """The same moment, whatever else is known of its row."""
    return due._replace(position=0, ours=True)


def _noting(append: Appender, facts: list[Fact]) -> Appender:
    """An append that notes what it has written."""

    async def noted(single: Append) -> Verdict:
        verdict = await append(single)
        if verdict.outcome is not Outcome.CONFLICT:  # also one whose answer was lost, and which was known again
            facts.extend(single.facts)
        return verdict

    return noted
