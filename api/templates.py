"""The bodies about templates: what is sent. The rules are those of the domain."""

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from api.dates import Day
from api.documents import (
    WHOLE,
    AssigneeBody,
    Body,
    Description,
    Estimate,
    Id,
    Line,
    Moment,
    PriorityValue,
    Tags,
    Text,
    Title,
)
from domain.checklist import ITEMS_MAX, TEXT_MAX
from domain.task_fields import Assignee, Priority
from domain.task_links import LINKS_MAX
from domain.template import NAME_MAX, Definition, TemplateTask, Timing, Variable, VariableKind, Whom
from domain.template_check import ROLE_MAX, TASKS_MAX, VARIABLES_MAX
from domain.template_values import NUMBER_MAX, VALUE_MAX

TemplateName = Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,49}$")]
Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]{1,50}$")]
Role = Annotated[Line, StringConstraints(min_length=1, max_length=ROLE_MAX)]
Item = Annotated[Line, StringConstraints(min_length=1, max_length=TEXT_MAX)]
# Its places and their variables are looked at by the domain, once values are in them their lengths too.
ValueText = Annotated[Text, StringConstraints(max_length=VALUE_MAX)]
TemplateVersion = Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE]
Whole = Annotated[int, Field(ge=-NUMBER_MAX, le=NUMBER_MAX)]
Fraction = Annotated[float, Field(ge=-NUMBER_MAX, le=NUMBER_MAX, allow_inf_nan=False)]
ValueBody = ValueText | Whole | Fraction

ONBOARDING: Final[dict[str, Any]] = {
    "name": "Onboarding",
    "description": "What is to be done before somebody begins.",
    "variables": [
        {"name": "who", "required": True},
        {"name": "first_day", "kind": "date", "required": True},
        {"name": "laptops", "kind": "number", "default": 1},
    ],
    "tasks": [
        {"ref": "all", "title": "Welcome {{who}}", "due": {"offset": "+5bd", "anchor": "first_day"}},
        {
            "ref": "laptop",
            "title": "Order {{laptops}} laptop for {{who}}",
            "parent": "all",
            "assignee": {"role": "office"},
            "due": {"offset": "-5bd", "time": "12:00", "anchor": "first_day"},
            "checklist": ["Ask {{who}} for a model", "Order it"],
            "tags": ["onboarding"],
        },
        {
            "ref": "accounts",
            "title": "Make accounts for {{who}}",
            "parent": "all",
            "assignee": {"role": "office"},
            "priority": "high",
            "depends_on": ["laptop"],
        },
    ],
}
SAID: Final[dict[str, Any]] = {
    "variables": {"who": "Eve", "first_day": "2027-02-01"},
    "roles": {"office": {"id": "019c2f3e-0000-7000-8000-000000000001"}},
    "start": "2027-01-18",
    "zone": "Europe/London",
}


class TimingBody(Body):
    """A day: so many days (`+3d`), working days (`+3bd`) or weeks (`-1w`) after the anchor, a variable that is a date;
    null: after the day on which all begins. With a time of day there.
    """

    offset: Annotated[str, StringConstraints(pattern=r"^[+\-]?[0-9]{1,5}(d|bd|w)$")]
    time: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    anchor: VariableName | None = None

    @property
    def timing(self) -> Timing:
        """It, in the domain's terms."""
        return Timing(offset=self.offset, time=self.time, anchor=self.anchor)


class TemplateRole(Body):
    """Whoever has this role when tasks are made."""

    role: Role


class TemplateTaskBody(Body):
    """A task to be made; the others know it as `ref`. In its texts `{{name}}` is the place of a variable's value."""

    ref: Ref
    title: Title
    description: Description = ""
    priority: PriorityValue = Priority.NORMAL
    tags: Annotated[Tags, Field(default_factory=list)]
    estimate_minutes: Estimate | None = None
    start: TimingBody | None = None
    due: TimingBody | None = None
    assignee: TemplateRole | AssigneeBody | None = None
    checklist: Annotated[list[Item], Field(max_length=ITEMS_MAX, default_factory=list)]
    parent: Ref | None = None
    depends_on: Annotated[list[Ref], Field(max_length=LINKS_MAX, default_factory=list)]

    @property
    def task(self) -> TemplateTask:
        """It, in the domain's terms."""
        return TemplateTask(
            ref=self.ref,
            title=self.title,
            description=self.description,
            priority=self.priority,
            tags=tuple(self.tags),
            estimate_minutes=self.estimate_minutes,
            start=None if self.start is None else self.start.timing,
            due=None if self.due is None else self.due.timing,
            assignee=_whom(self.assignee),
            checklist=tuple(self.checklist),
            parent=self.parent,
            depends_on=tuple(self.depends_on),
        )


def _whom(body: TemplateRole | AssigneeBody | None) -> Whom | None:
    if isinstance(body, AssigneeBody):
        return Whom(type=body.type, id=str(body.id))
    return None if body is None else Whom(role=body.role)


class VariableBody(Body):
    """What is to be said when tasks are made; where nobody has to and nobody does, it is the default, or empty."""

    name: VariableName
    kind: Annotated[VariableKind, Field(strict=False)] = VariableKind.TEXT
    required: bool = False
    default: ValueBody | None = None

    @property
    def variable(self) -> Variable:
        """It, in the domain's terms."""
        return Variable(name=self.name, kind=self.kind, required=self.required, default=self.default)


Variables = Annotated[list[VariableBody], Field(max_length=VARIABLES_MAX)]
TemplateTasks = Annotated[list[TemplateTaskBody], Field(min_length=1, max_length=TASKS_MAX)]


class NewTemplate(Body):
    """A tree of tasks to be made again and again."""

    model_config = ConfigDict(json_schema_extra={"examples": [ONBOARDING]})

    name: TemplateName
    description: Description = ""
    variables: Annotated[Variables, Field(default_factory=list)]
    tasks: TemplateTasks

    @property
    def definition(self) -> Definition:
        """It, in the domain's terms."""
        return Definition(
            name=self.name,
            description=self.description,
            variables=variables_of(self.variables),
            tasks=tasks_of(self.tasks),
        )


def variables_of(bodies: list[VariableBody]) -> tuple[Variable, ...]:
    """Variables, in the domain's terms."""
    return tuple(body.variable for body in bodies)


def tasks_of(bodies: list[TemplateTaskBody]) -> tuple[TemplateTask, ...]:
    """Tasks, in the domain's terms."""
    return tuple(body.task for body in bodies)


class TemplatePatch(Body):
    """A merge patch (RFC 7396): fields that are absent stay; lists are replaced whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Onboarding of a colleague"}]})

    name: TemplateName = ""
    description: Description | None = None
    variables: Variables | None = None
    tasks: Annotated[TemplateTasks, Field(default_factory=list)]


class InstantiateBody(Body):
    """Values for the variables, people for the roles (null: nobody), and where and when the tasks are to be.

    `start` is the day from which days are counted, or an instant on it, and `zone` says where that is: today, and your
    own zone, where nothing is said. `dry_run`: show what would be made, and make nothing.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [SAID]})

    version: Annotated[TemplateVersion | None, Field(description="Of the template; null: the last.")] = None
    variables: Annotated[dict[str, ValueBody | None], Field(max_length=VARIABLES_MAX, default_factory=dict)]
    roles: Annotated[dict[str, AssigneeBody | None], Field(max_length=TASKS_MAX, default_factory=dict)]
    start: Day | Moment | None = None
    zone: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    project_id: Id | None = None
    parent_id: Annotated[Id | None, Field(description="All is made below this task, in the same project.")] = None
    dry_run: bool = False

    @property
    def people(self) -> dict[str, Assignee | None]:
        """Who has which role, in the domain's terms."""
        return {
            role: None if body is None else Assignee(type=body.type, id=str(body.id))
            for role, body in self.roles.items()
        }


class TaskTemplate(Body):
    """How the template of a task is to be called. Its days are counted from `start`, or from the first of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Quarterly report", "start": "2027-01-04"}]})

    name: TemplateName
    description: Description = ""
    start: Day | None = None
    zone: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    assignees: Annotated[bool, Field(description="Give the tasks to whom they are given now.")] = False
