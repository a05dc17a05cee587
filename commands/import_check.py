"""The second step of an import: what the lines are to each other, and whether each could be written, before any is.

Every task is decided by the command that will write it, in a world where those before it are there already. So what is
refused here is refused for the reason that it would be refused for then: rights, limits, statuses, depth, assignees.
"""

from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from commands.deciding import Command, Context, NotLoaded
from commands.import_read import DECODE, Contents, Progress, Work
from commands.import_rows import ImportRows, Place, Problem, WorkRow, problem_of
from commands.importing import ImportChecklist, ImportTask, task_id
from commands.overlay import Overlay
from commands.streams import Streams
from domain.errors import Invalid, Rejection, Unauthenticated
from domain.import_line import Item
from domain.import_tree import IN_A_CIRCLE, Spot, circular, spots
from domain.policy import Action, may, to_task
from domain.streams import State
from domain.task import EDITABLE, Task
from domain.task_links import DEPTH_MAX, LinkType
from domain.user import User

ROWS_AT_ONCE: Final = 500
PLACES_AT_ONCE: Final = 2_000

Links = tuple[tuple[LinkType, str], ...]
decode_links: Final = msgspec.json.Decoder(Links).decode
decode_items: Final = msgspec.json.Decoder(tuple[Item, ...]).decode


class ImportChecker:
    """Checks one file that was read, for one who imports it."""

    def __init__(
        self, workspace_id: str, actor_id: str, source: str, rows: ImportRows, streams: Streams, contents: Contents
    ) -> None:
        self._workspace_id = workspace_id
        self._actor_id = actor_id
        self._source = source
        self._rows = rows
        self._streams = streams
        self._contents = contents
        self._elsewhere: dict[str, str] = {}  # what the file calls tasks that are here, and not in it

    async def check(self, progress: Progress) -> None:
        """Refuse what is wrong, and say where the others belong. Raises `Unauthenticated` for who may not come in."""
        await self._streams.refresh(self._workspace_id, [self._actor_id])
        await self._look_elsewhere()
        found, refusals = self._spots()
        refusals |= self._circles()
        await self._place(found, refusals)
        if refusals:
            await self._rows.refuse(refusals)
        self._contents.refused |= refusals.keys()
        above = {self._contents.own[name] for name in self._contents.parents.values() if name in self._contents.own}
        self._contents.forget()  # of a large file that is much, and now it stands in the rows
        await self._decide_all(above, progress)

    async def _look_elsewhere(self) -> None:
        """Find the tasks that lines name and that are not in the file: from an import before, or by their ids here."""
        contents = self._contents
        named = {parent for parent in contents.parents.values() if parent not in contents.own}
        named |= {other for links in contents.links.values() for _, other in links if other not in contents.own}
        for some in _parts(sorted(named), ROWS_AT_ONCE):
            places = {name: [self._made(name), *_ids(name)] for name in some}
            await self._streams.refresh(self._workspace_id, {place for found in places.values() for place in found})
            for name, found in places.items():
                seen = next((place for place in found if self._is_seen(place)), None)
                if seen is not None:
                    self._elsewhere[name] = seen

    def _is_seen(self, place: str) -> bool:
        """Whether there is a task that the importer sees: of any other the answer is that there is none."""
        task, actor = self._known(place), self._known(self._actor_id)
        if not isinstance(task, Task) or not isinstance(actor, User) or task.purged_at:
            return False
        return may(actor.role, Action.TASK_READ, to_task(actor, task))

    def _known(self, stream_id: str) -> State | None:
        known = self._streams.get(self._workspace_id, stream_id)
        return None if known is None else known.state

    def _made(self, name: str) -> str:
        return task_id(self._workspace_id, self._actor_id, self._source, name)

    def _id(self, name: str) -> str:
        """The task that a line names."""
        return self._made(name) if name in self._contents.own else self._elsewhere[name]

    def _spots(self) -> tuple[dict[int, Spot], dict[int, Problem]]:
        """Where below others of the file each task lies; and which cannot be where they are."""
        contents, refusals = self._contents, {}
        above: dict[int, int] = {}
        for line, parent in contents.parents.items():
            if parent in contents.own:
                above[line] = contents.own[parent]
            elif parent not in self._elsewhere:
                detail = "must be a task of the file, or one that is visible to you"
                refusals[line] = problem_of(Invalid("parent.not_found", "/parent_id", detail, parent))
        found = spots(above)
        for line, spot in found.items():
            if spot.level == IN_A_CIRCLE:
                parent = contents.parents[line]
                refusals[line] = problem_of(Invalid("task.cycle", "/parent_id", "is below this task itself", parent))
        return found, refusals

    def _circles(self) -> dict[int, Problem]:
        """The lines whose links lead nowhere, or round."""
        contents, refusals, edges = self._contents, {}, []
        for line, links in contents.links.items():
            for kind, other in links:
                at = contents.own.get(other)
                if at is None and other not in self._elsewhere:
                    detail = "must be a task of the file, or one that is visible to you"
                    refusals[line] = problem_of(Invalid("dependency.task_not_found", f"/{kind}", detail, other))
                if at == line:
                    refusals[line] = problem_of(Invalid("dependency.itself", f"/{kind}", "must be another task", other))
                elif at is not None and kind in (LinkType.BLOCKS, LinkType.BLOCKED_BY):
                    edges.append((line, at) if kind is LinkType.BLOCKED_BY else (at, line))
        for line in circular(edges):
            refusals.setdefault(line, problem_of(Invalid("task.cycle", "/links", "waits for itself, by way of others")))
        return refusals

    async def _place(self, found: Mapping[int, Spot], refusals: Mapping[int, Problem]) -> None:
        """Say where the tasks belong that are below others or linked."""
        contents = self._contents
        placed = [line for line in sorted(contents.parents.keys() | contents.links.keys()) if line not in refusals]
        for some in _parts(placed, PLACES_AT_ONCE):
            await self._rows.place([self._placed(line, found.get(line, Spot(line, 0))) for line in some])

    def _placed(self, line: int, spot: Spot) -> Place:
        parent, links = self._contents.parents.get(line), self._contents.links.get(line)
        return Place(
            line,
            spot.root,
            min(spot.level, DEPTH_MAX),
            None if parent is None else self._id(parent),
            None if links is None else msgspec.json.encode([(k, self._id(other)) for k, other in links]).decode(),
        )

    async def _decide_all(self, above: Container[int], progress: Progress) -> None:
        """Decide each task. Of those before it, those that are `above` others are needed until their tree is done."""
        contents, done = self._contents, len(self._contents.refused)
        root, kept = 0, set[str]()
        name, streams = self._workspace_id, self._streams
        world = Overlay(Context(name, self._actor_id, lambda id_: streams.get(name, id_)))
        async for rows in all_to_write(self._rows, ROWS_AT_ONCE):
            await self._streams.refresh(self._workspace_id, {row.task_id for row in rows})
            refusals = {}
            for row in rows:
                if row.root != root:
                    root, kept = row.root, set()
                if row.line in above:
                    kept.add(row.task_id)
                try:
                    await self._decide(world, row)
                except Unauthenticated:
                    raise
                except Rejection as refusal:
                    refusals[row.line] = problem_of(refusal)
            if refusals:
                await self._rows.refuse(refusals)
                contents.refused |= refusals.keys()
            world.forget(kept, Task)
            world.reads.clear()
            done += len(rows)
            await progress(done)

    async def _decide(self, world: Overlay, row: WorkRow) -> None:
        await self._run(world, command_of(row, DECODE(row.work)))
        if row.checklist is not None:
            await self._run(world, ImportChecklist(row.task_id, decode_items(row.checklist)))

    async def _run(self, world: Overlay, command: Command) -> None:
        while True:
            try:
                world.run(command)
            except NotLoaded as missing:
                await self._streams.refresh(self._workspace_id, missing.stream_ids)
            else:
                return


def command_of(row: WorkRow, work: Work) -> ImportTask:
    """The command that writes a task."""
    fields = {name: value for name in EDITABLE if (value := getattr(work.fields, name)) is not msgspec.UNSET}
    return ImportTask(
        row.task_id,
        **fields,
        assignee=work.assignee,
        project_id=work.project_id,
        parent_id=row.parent_id,
        status=work.status,
        category=work.category,
        origin=work.origin,
    )


async def all_to_write(rows: ImportRows, at_once: int) -> AsyncIterator[list[WorkRow]]:
    """The tasks that are to be written, in the order in which they are, some at once."""
    after = (0, 0, 0)
    while found := await rows.to_write(after, at_once):
        yield found
        after = found[-1].place


def _parts(items: Sequence[str] | Sequence[int], most: int) -> Iterable[Sequence]:  # type: ignore[type-arg]
    return (items[at : at + most] for at in range(0, len(items), most))


def _ids(name: str) -> list[str]:
    try:
        return [str(UUID(name))]
    except ValueError:
        return []
