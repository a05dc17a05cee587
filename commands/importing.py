"""The commands of an import: a task as it was elsewhere, in one step, and its checklist.

The id of the task follows from what the file calls it, so a file that comes twice makes each of its tasks once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from commands.appending import Fact
from commands.deciding import Context
from commands.subtasks import check_depth, check_room, check_same_project, parent_closed
from commands.talk import around
from commands.task import CreateTask
from domain.checklist import ITEMS_MAX, TEXT_MAX, Checklist, ItemAdded, ItemChecked
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Event, Meta, Recorded
from domain.import_line import Item
from domain.policy import Action, may_make
from domain.project import Project
from domain.talk import Part, stream_of
from domain.task import Task, TaskCreated, fold
from domain.task_fields import Origin
from domain.text import check_line
from domain.workflow import Category, Workflow


def task_id(workspace_id: str, actor_id: str, source: str, own: str) -> str:
    """The id that a task gets which a file calls `own`. Whoever else imports the same gets tasks of their own."""
    return str(uuid5(UUID(workspace_id), f"import:{actor_id}:{source}:{own}"))


@dataclass(frozen=True, slots=True)
class ImportTask(CreateTask):
    """Write down a task that was elsewhere, in the status that it had there: by name, or else by category."""

    status: str | None = None
    category: Category | None = None
    origin: Origin | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """As of a creation; nothing where an import before this one has made it, whatever became of it.

        Raises `Invalid` `import.status`, `Forbidden` `task.move_not_allowed` besides.
        """
        if context.read(self.task_id, Task) is not None:
            return []
        facts = CreateTask.decide(self, context)
        _check_may_be_there(context, self.task_id, facts)
        return facts

    def _below(self, context: Context, parent_id: str) -> Task:
        """The parent, which may be closed where this task is."""
        try:
            parent = context.task(parent_id, Action.TASK_EDIT)
        except NotFound as error:
            detail = "must be a task of the file that is taken, or one that is visible to you"
            raise Invalid("parent.not_found", "/parent_id", detail, parent_id) from error
        check_room(parent)
        check_same_project(parent, self.project_id)
        check_depth(context, parent)
        workflow = context.workflow_of(context.project_of(parent))
        if parent.is_closed and not workflow.categories[self._status(workflow)].closed:
            raise parent_closed(parent)
        return parent

    def _status(self, workflow: Workflow) -> str:
        named, category = self.status, self.category
        if named is None and category is None:
            return workflow.initial
        if category is None and named in workflow.categories:
            return str(named)
        if category is None and named in list(Category):
            category = Category(named)
        if category is None:
            detail = f"must be one of {', '.join(workflow.categories)}, or come with a category"
            raise Invalid("import.status", "/status", detail, named)
        return workflow.home(named or "", category)

    def _origin(self) -> Origin | None:
        return self.origin


def _check_may_be_there(context: Context, task_id: str, facts: Sequence[Fact]) -> None:
    """A status to which only some may move a task is not reached by an import either."""
    events = [fact.event for fact in facts if fact.stream_id == task_id]
    created = events[0]
    assert isinstance(created, TaskCreated)
    project = None if created.project_id is None else context.read(created.project_id, Project)
    workflow = context.workflow_of(project)
    moves = [move for move in workflow.moves if move.to == created.status]
    if created.status == workflow.initial or not moves or not all(move.who for move in moves):
        return
    meta = Meta(actor=context.actor_id, correlation_id="", causation_id="")
    task = fold(Recorded(0, task_id, n, event, meta, "") for n, event in enumerate(events, 1))
    assert task is not None
    if not any(may_make(context.actor(), task, move.who) for move in moves):
        who = sorted({mover for move in moves for mover in move.who})
        detail = f"a task comes to {task.status!r} by moves that are for the {' or '.join(who)} of a task"
        raise Forbidden("task.move_not_allowed", detail, to=task.status, who=who)


@dataclass(frozen=True, slots=True)
class ImportChecklist:
    """Give a task that was imported the checklist that it had, unless it has one."""

    task_id: str
    items: tuple[Item, ...]

    @property
    def stream_id(self) -> str:
        """The stream of the checklist."""
        return stream_of(self.task_id, Part.CHECKLIST)

    def decide(self, context: Context) -> Sequence[Fact]:
        """The items, and which are checked. Raises `Conflict` `checklist.full`, `Invalid`."""
        around(context, self.task_id, Action.CHECKLIST_CHANGE)
        if context.read(self.stream_id, Checklist) is not None:
            return []
        if len(self.items) > ITEMS_MAX:
            raise Conflict("checklist.full", f"a checklist has at most {ITEMS_MAX} items")
        events: list[Event] = []
        after = None
        for n, item in enumerate(self.items):
            text = check_line(item.text, f"/checklist/{n}/text", most=TEXT_MAX)
            item_id = str(uuid5(UUID(self.task_id), f"item:{n}"))
            events.append(ItemAdded(task_id=self.task_id, item_id=item_id, text=text, after=after))
            if item.checked:
                events.append(ItemChecked(task_id=self.task_id, item_id=item_id))
            after = item_id
        return [Fact(self.stream_id, event) for event in events]
