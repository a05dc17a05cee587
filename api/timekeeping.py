"""The scheduler with all that it needs to write: what an API process has for its commands, in a worker."""

from redis.asyncio import Redis

from api.database import Pool, connector
from api.scheduler import Scheduler, SchedulerSettings
from api.settings import Settings
from commands.committer import Committer
from commands.event_store import EventStore
from commands.execute import Executor
from commands.streams import Streams
from domain.messages import Appended
from projections.hints import Sender

STREAMS = 20_000  # that are kept folded: a batch of what is due, and those before it


class Timekeeping:
    """Wires the scheduler of a worker, starts and stops it. `lease` is that of the worker's projector."""

    def __init__(self, pool: Pool, redis: Redis, settings: Settings, lease: str) -> None:
        store = EventStore(pool)
        self._streams = Streams(store, STREAMS)
        self._sender = Sender(redis)
        self._committer = Committer(connector(settings.database_url), self._announce, connections=2)
        executor = Executor(store, self._streams, self._committer)
        chosen = SchedulerSettings(trash=settings.trash)
        self.scheduler = Scheduler(pool, redis, self._committer, executor, self._streams, chosen, lease=lease)

    def _announce(self, workspace_id: str, position: int, kinds: frozenset[str]) -> None:
        self._sender.announce(Appended(workspace_id, position, kinds))

    async def start(self) -> None:
        """Begin in the background."""
        self._sender.start()
        self._committer.start()
        await self.scheduler.start()

    async def stop(self) -> None:
        """Finish what is under way, and end."""
        await self.scheduler.stop()
        await self._committer.stop()
        await self._streams.stop()
        await self._sender.stop()
