"""A bulk edit: one command for all tasks that a filter finds, batch by batch, and how it is known again by its key."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api.batch.bodies import MOST, CommandBody
from api.batch.route import Batching
from api.batch.running import Run
from api.batch.steps import Refusal
from api.batch.types import TYPES
from api.documents import Body, Id, Position
from api.finding import Asking
from api.questions import parsed, zone_of
from api.tagging import spellings
from domain.errors import Invalid, Rejection
from domain.policy import eyes
from domain.tagbook import Tagbook, book_id
from projections import choosing, log, queries, tasks
from projections.task_list import TaskQuery

TASKS_MAX: Final = 10_000  # that one bulk edit is for
SAMPLE: Final = 20


class BulkCommand(Body):
    """What to do to each task: a command without a target."""

    type: Annotated[str, Field(max_length=64, json_schema_extra={"enum": sorted(TYPES)})]
    data: Annotated[dict[str, Any], Field(default_factory=dict)]


class BulkBody(Body):
    """Which tasks, and what to do to each."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"q": "assignee:me status:todo tag:q4", "command": {"type": "task.start"}, "dry_run": True}]
        }
    )

    q: Asking
    command: BulkCommand
    dry_run: Annotated[bool, Field(description="Only count what would be done.")] = False


class BulkDocument(BaseModel):
    """How many tasks were found, and what became of them.

    `refusals` counts the refused by the codes of their problems; `sample` are some of the tasks, in a dry run.
    """

    matched: int
    done: int
    would_do: int
    refused: int
    refusals: dict[str, int]
    sample: list[Id]
    position: Annotated[Position, Field(description="Of the list in which the tasks were found.")]


@dataclass(slots=True)
class Bulk:
    """One bulk edit. It goes on from batch to batch, and what is refused holds up nothing."""

    call: Batching
    body: BulkBody
    refusals: Counter[str] = field(default_factory=Counter)
    done: int = 0
    position: int = 0

    async def run(self) -> tuple[dict[str, Any], bool]:
        """What to answer, and whether the key was known. Raises `Invalid`: `bulk.query`, `bulk.too_many` and others."""
        self._check_kind()
        batches, call = self.call.services.batches, self.call.call
        keyed = call.key is not None and not self.body.dry_run
        again = keyed and await batches.is_known(call)
        prefix = sha256(f"bulk {call.key}".encode()).hexdigest()
        if again and (ended := await batches.ended(call, prefix)) is not None:
            self.position = ended.position
            return self._document(ended.done, ended.refusals, []), True
        found = await self._find()
        self.call.charge(len(found.task_ids), at_most=True)
        again = again or (keyed and await batches.begin(call))
        for part in _parts(found.task_ids):
            await self._do(part, prefix if keyed else None, again=again)
        if keyed:
            self.done = (await batches.end(call, prefix, self.refusals, found.position)).done
        self.position = found.position
        sample = found.task_ids[:SAMPLE] if self.body.dry_run else []
        return self._document(self.done, self.refusals, sample), again

    def _document(self, done: int, refusals: Counter[str], sample: list[str]) -> dict[str, Any]:
        refused = refusals.total()
        outcome = {"done": 0, "would_do": done} if self.body.dry_run else {"done": done, "would_do": 0}
        more = {"refused": refused, "refusals": refusals, "sample": sample, "position": self.position}
        return {"matched": done + refused, **outcome, **more}

    def _check_kind(self) -> None:
        name = self.body.command.type
        kind = self.call.types.get(name)
        if kind is None:
            raise Invalid("batch.unknown_type", "/command/type", "is no type of a command", name)
        if kind.target is None or kind.target[0] != "task_id":
            raise Invalid("bulk.not_of_tasks", "/command/type", "must be a command on a task", name)

    async def _find(self) -> choosing.Chosen:
        services, user, workspace_id = self.call.services, self.call.user, self.call.identity.workspace_id
        book = await services.streams.current(workspace_id, book_id(workspace_id), 0)
        asked = await self._asked(book if isinstance(book, Tagbook) else None)
        query = TaskQuery(workspace_id, eyes(user), asked=asked, limit=TASKS_MAX)
        async with services.pool.connection() as connection:
            head = await log.head(connection, workspace_id)
        for projection in (tasks.NAME, *asked.projections):  # one's own writes are among them
            await services.positions.reach(workspace_id, projection, head)
        async with services.pool.connection() as connection:
            found = await choosing.choose(connection, query)
        if len(found.task_ids) > TASKS_MAX:
            raise Invalid("bulk.too_many", "/q", f"must find at most {TASKS_MAX} tasks: say more", self.body.q[:200])
        return found

    async def _asked(self, book: Tagbook | None) -> queries.Asked:
        """What the query means. One that says nothing would mean all tasks."""
        query = parsed(self.body.q, "/q")
        if not query.filters and not query.words:
            raise Invalid("bulk.query", "/q", "must say something: a filter, or words", self.body.q)
        zone = await zone_of(self.call.services, self.call.identity.workspace_id, self.call.user.id, query)
        reader = queries.Reader(self.call.user.id, datetime.now(UTC), spellings(book), zone=zone)
        async with self.call.services.pool.connection() as connection:
            return await queries.compile(connection, query, reader)

    async def _do(self, task_ids: list[str], prefix: str | None, *, again: bool) -> None:
        """One batch of them. A retry does each by itself, under its own key: some are done already."""
        commands = [
            CommandBody(id=str(at), type=self.body.command.type, target=task_id, data=self.body.command.data)
            for at, task_id in enumerate(task_ids)
        ]
        keys = None if prefix is None else [f"{prefix} of {task_id}" for task_id in task_ids]
        run = Run(self.call, commands, dry_run=self.body.dry_run, keys=keys)
        ran = await (run.again() if again else run.run())
        for step in ran.steps:
            if step.refusal is None:
                self.done += 1
            else:
                self.refusals[_code(step.refusal)] += 1


def _parts(task_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(task_ids), MOST):
        yield task_ids[start : start + MOST]


def _code(refusal: Refusal) -> str:
    return refusal.code if isinstance(refusal, Rejection) else "request.invalid"
