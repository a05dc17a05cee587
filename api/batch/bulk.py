"""A bulk edit: one command for all tasks that a filter finds, batch by batch, and how it is known again by its key."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.batch.arguments import arguments_of
from api.batch.bodies import MOST, CommandBody
from api.batch.route import Batching
from api.batch.running import Run
from api.batch.steps import Refusal
from api.batch.types import TYPES
from api.documents import Body, Id, Position
from api.finding import Asking
from api.questions import parsed, zone_of
from api.tagging import spellings
from commands.batch import Ending, key_within
from domain.errors import Invalid, Rejection, pointed
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
    position: Annotated[Position, Field(description="That shows all of it; in a dry run, where the tasks were found.")]


@dataclass(slots=True)
class Bulk:
    """One bulk edit. It goes on from batch to batch, and what is refused holds up nothing."""

    call: Batching
    body: BulkBody
    refused: dict[str, str] = field(default_factory=dict)  # codes, by task
    done: int = 0
    position: int = 0

    async def run(self) -> tuple[dict[str, Any], bool]:
        """What to answer, and whether the key was known. Raises `Invalid`: `bulk.query`, `bulk.too_many` and others."""
        self._check_command()
        batches, call = self.call.services.batches, self.call.call
        keyed = call.key is not None and not self.body.dry_run
        again = keyed and await batches.is_known(call)
        prefix = sha256(f"bulk {call.key}".encode()).hexdigest()
        if again and (ended := await batches.ended(call, prefix)) is not None:
            return self._document(ended, []), True
        found = await self._find()
        self.call.charge(len(found.task_ids), at_most=True)
        again = again or (keyed and await batches.begin(call))
        for part in _parts(found.task_ids):
            await self._do(part, prefix if keyed else None, again=again)
        position = found.position if self.body.dry_run else max(found.position, self.position)
        if keyed:
            return self._document(await batches.end(call, prefix, self.refused, position), []), again
        ending = Ending(self.done, Counter(self.refused.values()), position)
        return self._document(ending, found.task_ids[:SAMPLE] if self.body.dry_run else []), False

    def _document(self, ending: Ending, sample: list[str]) -> dict[str, Any]:
        done, refused = ending.done, ending.refusals.total()
        outcome = {"done": 0, "would_do": done} if self.body.dry_run else {"done": done, "would_do": 0}
        more = {"refused": refused, "refusals": ending.refusals, "sample": sample, "position": ending.position}
        return {"matched": done + refused, **outcome, **more}

    def _check_command(self) -> None:
        """What is wrong with the command itself is so for every task: nothing is begun."""
        name = self.body.command.type
        kind = self.call.types.get(name)
        if kind is None:
            raise Invalid("batch.unknown_type", "/command/type", "is no type of a command", name)
        if kind.target is None or kind.target[0] != "task_id":
            raise Invalid("bulk.not_of_tasks", "/command/type", "must be a command on a task", name)
        try:
            arguments_of(kind, self._command("any", self.call.identity.workspace_id), "/command", _no_reference)
        except ValidationError as error:
            first = error.errors()[0]
            raise Invalid("bulk.data", f"/command/data{pointed(*first['loc'])}", first["msg"]) from error
        except Invalid as refusal:
            first = refusal.extra["errors"][0]
            raise Invalid("bulk.data", first["pointer"], first["detail"]) from refusal

    def _command(self, id_: str, task_id: str) -> CommandBody:
        return CommandBody(id=id_, type=self.body.command.type, target=task_id, data=self.body.command.data)

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
        commands = [self._command(str(at), task_id) for at, task_id in enumerate(task_ids)]
        keys = None if prefix is None else [key_within(prefix, task_id) for task_id in task_ids]
        run = Run(self.call, commands, dry_run=self.body.dry_run, keys=keys)
        ran = await (run.again() if again else run.run())
        self.position = max(self.position, ran.position)
        for task_id, step in zip(task_ids, ran.steps, strict=True):
            if step.refusal is None:
                self.done += 1
            else:
                self.refused[task_id] = _code(step.refusal)


def _parts(task_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(task_ids), MOST):
        yield task_ids[start : start + MOST]


def _no_reference(reference: str, pointer: str) -> str:
    detail = "must be an id: what is done to one task does not refer to what is done to others"
    raise Invalid("batch.reference", pointer, detail, reference)


def _code(refusal: Refusal) -> str:
    return refusal.code if isinstance(refusal, Rejection) else "request.invalid"
