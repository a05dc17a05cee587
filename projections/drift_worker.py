"""The watch for drift: a few streams of some workspace, compared with their rows every few seconds, for ever."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from projections.database import Connection, Pool
from projections.drift import Difference, check
from projections.drift_sample import between, sample
from projections.ending import end
from projections.lookups import FIRST
from projections.table import Table

log: Final = logging.getLogger(__name__)

MOST_REMEMBERED: Final = 10_000

Told = tuple[str, str, str, str, str | None]  # which difference: all but the values


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """`seconds` between two looks, 0: never; `streams` of each projection in one look, none of over `longest` events.

    So a look reads at most `streams` * `longest` events a projection, and usually a few dozen.
    """

    seconds: float = 10.0
    streams: int = 20
    longest: int = 2_000

    def __post_init__(self) -> None:
        """Raises `ValueError` for a number that means nothing."""
        if self.seconds < 0 or min(self.streams, self.longest) < 1:
            raise ValueError(f"seconds must be at least 0, streams and longest at least 1, got {self}")


class DriftWatch:
    """Compares samples of rows with the log, workspace after workspace, and says loudly what differs, once each.

    `samples` and `differences` count streams and findings by projection since the start, a difference again whenever
    it is met again; `failed` counts looks that came to nothing; `last_run` is the time of the last one that did not,
    in seconds of the epoch.
    """

    def __init__(self, pool: Pool, tables: Mapping[str, Table], settings: DriftSettings | None = None) -> None:
        self._pool = pool
        self._tables = tables
        self._settings = settings or DriftSettings()
        self._told: OrderedDict[Told, None] = OrderedDict()
        self._after: str | None = None
        self._task: asyncio.Task[None] | None = None
        self.samples: Counter[str] = Counter(dict.fromkeys(tables, 0))
        self.differences: Counter[str] = Counter(dict.fromkeys(tables, 0))
        self.failed = 0
        self.last_run: float | None = None

    async def start(self) -> None:
        """Begin to watch in the background, if it is wanted."""
        if self._settings.seconds:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop watching."""
        await end(self._task)

    async def run_once(self) -> list[Difference]:
        """Look at a few streams of the next workspace. Answers every difference, told before or not."""
        found: list[Difference] = []
        async with self._pool.connection() as connection:
            workspace_id = await _next(connection, self._after or await _somewhere(connection))
            if workspace_id is not None:
                self._after = workspace_id
                for table in self._tables.values():
                    found += await self._look(connection, workspace_id, table)
        self.last_run = time()
        return found

    async def _look(self, connection: Connection, workspace_id: str, table: Table) -> list[Difference]:
        chosen = self._settings
        ids = await sample(connection, workspace_id, table, chosen.streams, chosen.longest)
        checked = await check(connection, workspace_id, table, ids)
        self.samples[table.name] += checked.streams
        self.differences[table.name] += len(checked.differences)
        for difference in checked.differences:
            self._tell(difference)
        return checked.differences

    def _tell(self, difference: Difference) -> None:
        """Log a difference, unless that was done before. Ids and names of fields only: values are people's own."""
        what: Told = (*difference[:3], difference.sort.value, difference.field)
        if what not in self._told:
            names = ("workspace", "projection", "stream", "sort", "field")
            log.error(
                "a row is not the fold of its stream",
                extra={**dict(zip(names, what, strict=True)), "position": difference.position},
            )
        self._told[what] = None
        self._told.move_to_end(what)
        if len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._settings.seconds)
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                self.failed += 1
                log.warning("rows were not compared with the log", extra={"error": str(error)})
            except Exception:  # a watch that ends in silence would say for ever that all is well
                self.failed += 1
                log.exception("rows were not compared with the log")


async def _somewhere(connection: Connection) -> str:
    """Where the round of the workspaces begins: by chance, or workers that are often started anew see the same ones."""
    cursor = await connection.execute(
        """
        (SELECT workspace_id FROM logs ORDER BY workspace_id LIMIT 1)
        UNION ALL
        (SELECT workspace_id FROM logs ORDER BY workspace_id DESC LIMIT 1)
        """
    )
    ends = [row[0] for row in await cursor.fetchall()]
    return str(between(min(ends), max(ends))) if ends else FIRST


async def _next(connection: Connection, after: str) -> str | None:
    """The workspace whose id follows, round and round; one whose log is empty is none."""
    cursor = await connection.execute(
        """
        (SELECT workspace_id::text, 1 AS round FROM logs WHERE position > 0 AND workspace_id > %(after)s
         ORDER BY workspace_id LIMIT 1)
        UNION ALL
        (SELECT workspace_id::text, 2 FROM logs WHERE position > 0 ORDER BY workspace_id LIMIT 1)
        ORDER BY round LIMIT 1
        """,
        {"after": after},
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0])
