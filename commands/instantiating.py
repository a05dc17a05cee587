"""Making tasks of a template: by the commands that make any task, one after the other, in one append."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from commands.appending import Fact
from commands.checklist import AddItem
from commands.deciding import Context
from commands.dependencies import LinkTasks
from commands.making import Preview, shown
from commands.overlay import Overlay
from commands.task import CreateTask
from commands.template import existing, version_not_found
from domain.errors import Conflict, Invalid, Rejection, pointed
from domain.instantiation import InstantiationCompleted
from domain.policy import Action
from domain.talk import Part, stream_of
from domain.task_fields import Assignee, FromTemplate
from domain.task_links import LinkType
from domain.template import Definition, Template, TemplateTask, Value, Whom
from domain.template_filling import Filling, Texts, dates
from domain.template_values import values_of
from domain.zones import check_zone


@dataclass(frozen=True, slots=True)
class Instantiate:
    """Make the tasks of a template; `instantiation_id` is new, and `ids` gives new ids by names.

    `older` is what the template said at a `version` before its last; without a version it is the last. From the day
    `start` all others are counted, in the time zone `zone`.
    """

    instantiation_id: str
    template_id: str
    ids: Callable[[str], str]
    start: date
    zone: str = "UTC"
    version: int | None = None
    older: Definition | None = None
    variables: Mapping[str, Value | None] = field(default_factory=dict)
    roles: Mapping[str, Assignee | None] = field(default_factory=dict)
    project_id: str | None = None
    parent_id: str | None = None

    @property
    def stream_id(self) -> str:
        """The stream that says what was made."""
        return self.instantiation_id

    def decide(self, context: Context) -> Sequence[Fact]:
        """All tasks with all that belongs to them, or nothing.

        Raises what creating any of the tasks raises, with the `ref` of the task; `NotFound` for the template or the
        version; `Invalid` for variables, roles and dates that do not fit it.
        """
        return self._making(context).facts

    def preview(self, context: Context) -> tuple[Preview, Template]:
        """What it would make, and of which template. Raises as the decision does."""
        making = self._making(context)
        preview = Preview(
            template_id=self.template_id,
            template_version=making.version,
            tasks=[shown(making.overlay, task, making.ids) for task in making.tasks],
            events=len(making.facts),
        )
        return preview, existing(context, self.template_id)

    def _making(self, context: Context) -> "_Making":
        check_zone(self.zone, "/zone")
        context.allowed(Action.TASK_CREATE)
        version, definition = self._wanted(context)
        values = values_of(definition.variables, self.variables)
        _check_roles(definition.roles, self.roles)
        making = _Making(self, context, version, definition.tasks)
        making.run(values)
        return making

    def _wanted(self, context: Context) -> tuple[int, Definition]:
        template = existing(context, self.template_id)
        version, definition = self.version or template.version, template.definition
        if version != template.version:
            if self.older is None or version > template.version:
                raise version_not_found()
            definition = self.older
        if not definition.tasks:
            raise Conflict("template.erased", "what this version said was erased; it makes no tasks")
        return version, definition


class _Making:
    """The tasks of one template under way. After `run`, `facts` are all that there is to append."""

    def __init__(self, wish: Instantiate, context: Context, version: int, tasks: Sequence[TemplateTask]) -> None:
        self.version = version
        self.tasks = tasks
        self.overlay = Overlay(context)
        self.ids = {task.ref: wish.ids(f"task:{task.ref}") for task in tasks}
        self._wish = wish

    @property
    def facts(self) -> list[Fact]:
        """What was made of which template, and then all tasks."""
        return self.overlay.facts

    def run(self, values: Mapping[str, str]) -> None:
        """Make them: every task after its parent, then what they wait for."""
        filling = Filling(values)
        texts = {task.ref: filling.texts(task) for task in self.tasks}
        days = {task.ref: dates(task, values, self._wish.start, self._wish.zone) for task in self.tasks}
        self._note()
        whom = map(self._whom, self.tasks)
        self.overlay.need({assignee.id for assignee in whom if assignee is not None})
        for task in _parents_first(self.tasks):
            with _about(task):
                self._make(task, texts[task.ref], days[task.ref])
        for task in self.tasks:
            for ref in task.depends_on:
                with _about(task):
                    self.overlay.run(LinkTasks(self.ids[task.ref], LinkType.BLOCKED_BY, self.ids[ref]))

    def _note(self) -> None:
        stream_id = self._wish.instantiation_id
        self.overlay.begin(stream_id)
        event = InstantiationCompleted(
            template_id=self._wish.template_id,
            template_version=self.version,
            tasks=self.ids,
            roots=tuple(self.ids[task.ref] for task in self.tasks if task.parent is None),
        )
        self.overlay.happen([Fact(stream_id, event)])

    def _make(self, task: TemplateTask, texts: Texts, dates: Mapping[str, str]) -> None:
        task_id = self.ids[task.ref]
        self.overlay.run(
            CreateTask(
                task_id=task_id,
                title=texts.title,
                description=texts.description,
                tags=texts.tags,
                priority=task.priority,
                estimate_minutes=task.estimate_minutes,
                assignee=self._whom(task),
                project_id=self._wish.project_id if task.parent is None else None,
                parent_id=self._wish.parent_id if task.parent is None else self.ids[task.parent],
                **dates,
                template=FromTemplate(self._wish.template_id, self.version),
            )
        )
        if texts.checklist:
            self.overlay.begin(stream_of(task_id, Part.CHECKLIST))
        for n, text in enumerate(texts.checklist):
            self.overlay.run(AddItem(task_id, self._wish.ids(f"item:{task.ref}:{n}"), text))

    def _whom(self, task: TemplateTask) -> Assignee | None:
        whom = task.assignee or Whom()
        return whom.assignee if whom.role is None else self._wish.roles[whom.role]


def _check_roles(known: Sequence[str], given: Mapping[str, Assignee | None]) -> None:
    """Raises `Invalid` `template.role_unknown`, `template.role_missing`: null says that nobody gets these tasks."""
    for role in given:
        if role not in known:
            detail = f"must be one of: {', '.join(known) or 'none'}"
            raise Invalid("template.role_unknown", pointed("roles", role), detail, role)
    for role in known:
        if role not in given:
            detail = "must say who it is, or null for nobody"
            raise Invalid("template.role_missing", pointed("roles", role), detail)


def _parents_first(tasks: Sequence[TemplateTask]) -> Iterator[TemplateTask]:
    """The tasks in their order, but each after the one that it is below."""
    by_ref = {task.ref: task for task in tasks}
    done: set[str] = set()
    for task in tasks:
        way = [task]
        while (parent := way[-1].parent) is not None and parent not in done:
            way.append(by_ref[parent])
        for each in reversed(way):
            if each.ref not in done:
                done.add(each.ref)
                yield each


@contextmanager
def _about(task: TemplateTask) -> Iterator[None]:
    """A refusal names the task, and points at what was said of it rather than at fields of the task."""
    try:
        yield
    except Rejection as rejection:
        extra = {**rejection.extra, "ref": task.ref}
        if isinstance(rejection, Invalid):
            extra["errors"] = [{**error, "pointer": _where(task, error["pointer"])} for error in extra["errors"]]
        elif "field" in extra:
            extra["field"] = _where(task, extra["field"])
        rejection.extra = extra
        raise


def _where(task: TemplateTask, pointer: str) -> str:
    """What of the request led to a field of a task."""
    if pointer in ("/project_id", "/parent_id"):
        return pointer
    if pointer.startswith("/assignee"):
        role = None if task.assignee is None else task.assignee.role
        return "/version" if role is None else pointed("roles", role, "id")
    return "/start" if pointer in ("/start_at", "/due_at", "/due_on") else "/variables"
