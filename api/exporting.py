"""An export under way: which tasks, at which position, for how many at once, and as which text."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from api.exported import Csv, Jsonl
from api.positions import Positions
from api.reading import Reading
from api.streaming import Cut, Opened
from api.tagging import respelled
from domain.errors import Rejection, Unavailable
from domain.exchange import Include
from domain.policy import eyes
from domain.tagbook import Tagbook
from projections import comments, exports, past, tasks
from projections.cursors import AsOf
from projections.ending import end
from projections.exports import Snapshot
from projections.task_list import Page, TaskQuery

TRIES: Final = 3
PAST_AT_ONCE: Final = 200  # tasks, as many as a page has

Parts = AsyncIterator[list[str]]  # documents of tasks


class Shown(NamedTuple):
    """What an export shows: the position, when it began, and how many tasks, None where that is not known yet."""

    position: int
    at: str
    tasks: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """What somebody has asked for."""

    read: Reading
    query: TaskQuery
    book: Tagbook | None
    format: type[Csv] | type[Jsonl]
    include: frozenset[Include]
    bom: bool

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Opened]:
        """Around the answer: its header fields, and its text."""
        places = self.read.services.exports
        with places.taken(self.read.user.id):
            async with places.turn:
                shown, parts = await (self._present() if self.query.as_of is None else self._past(self.query.as_of))
            if Include.COMMENTS in self.include:
                await self.read.services.positions.reach(self.read.workspace_id, comments.NAME, shown.position)
            written = self.format(self.read, shown, self.include, bom=self.bom)
            headers = {
                "Taskfold-Position": str(shown.position),
                "Taskfold-Epoch": self.read.services.epoch,
                "Content-Disposition": f'attachment; filename="tasks-{shown.position}.{written.suffix}"',
                **({} if shown.tasks is None else {"Taskfold-Tasks": str(shown.tasks)}),
            }
            yield Opened(headers, self._pieces(written, parts))

    async def _present(self) -> tuple[Shown, Parts]:
        found = await self._snapshot(self.read.services.positions)
        shown = Shown(found.position, found.at, found.tasks)
        return shown, self._of_present(shown, found)

    async def _past(self, as_of: AsOf) -> tuple[Shown, Parts]:
        """With the first page, by which it may be refused."""
        await self.read.services.positions.reach(self.read.workspace_id, tasks.NAME, as_of.position, asked="as_of")
        async with self.read.of(tasks.NAME) as connection:
            at = await exports.now(connection)
        query = replace(self.query, limit=PAST_AT_ONCE)
        return Shown(as_of.position, at, None), self._of_past(query, await self._page(query))

    async def _snapshot(self, positions: Positions) -> Snapshot:
        """Which tasks. Where they are found by what is said about them, that must be known up to the same position."""
        for _ in range(TRIES):
            async with self.read.of(tasks.NAME) as connection:
                found = await exports.snapshot(connection, self.query)
            if "q" not in self.query.filters or found.said >= found.position:
                return found
            await positions.reach(self.read.workspace_id, comments.NAME, found.position)
        detail = f"{comments.NAME!r} has read up to {found.said}, and tasks up to {found.position}"
        raise Unavailable("projection.behind", detail)

    async def _of_present(self, shown: Shown, found: Snapshot) -> Parts:
        """One part is read while the one before is written: the database and we work at the same time."""
        done = 0
        reading = asyncio.create_task(self._documents(found.some(done), shown.position))
        try:
            while done < found.tasks:
                documents = await reading
                done += len(documents)
                reading = asyncio.create_task(self._documents(found.some(done), shown.position))
                yield respelled(self.book, [document for document in documents if document])
        finally:
            await end(reading)

    async def _documents(self, task_ids: Sequence[str], position: int) -> list[str]:
        services = self.read.services
        async with services.exports.turn:
            return await exports.documents(services.pool, self.read.workspace_id, task_ids, position)

    async def _of_past(self, query: TaskQuery, page: Page) -> Parts:
        yield page.documents
        while page.next_cursor is not None:
            page = await self._page(replace(query, cursor=page.next_cursor))
            yield page.documents

    async def _page(self, query: TaskQuery) -> Page:
        async with self.read.services.archive, self.read.of(tasks.NAME) as connection:
            return (await past.page(connection, query)).page

    async def _pieces(self, written: Csv | Jsonl, parts: Parts) -> AsyncIterator[str]:
        yield written.begin()
        async for part in parts:
            await self._check()
            async for piece in written.part(part):
                yield piece
        yield written.end()

    async def _check(self) -> None:
        """Raises `Cut` where the reader may no longer see what they asked for."""
        services = self.read.services
        try:
            services.check_session(self.read.identity)
            user = await services.member(self.read.identity)
        except Rejection as rejection:
            raise Cut(rejection.code) from rejection
        seen, asked = eyes(user), self.query.eyes
        if asked.see_all > seen.see_all or (not seen.see_all and not asked.ids <= seen.ids):
            raise Cut("the reader sees less now")
