"""A template: a tree of tasks with places for values, to be made again and again; its events, its state, and the fold.

Every change holds the whole of it, so a version that was saved can be read, and tasks be made of it, for ever.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec
from msgspec.structs import asdict, replace

from domain.events import Event, Recorded, name_of, stored
from domain.instant import Instant
from domain.task_fields import Assignee, Priority

NAME_MAX: Final = 100
ERASED_NAME: Final = "[erased]"

Value = str | int | float


class VariableKind(StrEnum):
    """What the values of a variable are. A date is a day of the calendar: `2027-01-31`."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"


class Variable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is to be said when tasks are made. Where nobody has to, and nobody does, it is the default, or empty."""

    name: str
    kind: VariableKind = VariableKind.TEXT
    required: bool = False
    default: Value | None = None


class Timing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A day, so many days, working days or weeks (`+3d`, `+3bd`, `-1w`) after the anchor; and the time of day there.

    The anchor is a variable that is a date, or, None, the day on which all begins.
    """

    offset: str
    time: str | None = None
    anchor: str | None = None


class Whom(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whom a task is to be given to: who has a role when tasks are made; or a member, or a team."""

    role: str | None = None
    type: Literal["user", "team"] | None = None
    id: str | None = None

    @property
    def assignee(self) -> Assignee | None:
        """The member or team, where it is one."""
        return None if self.type is None or self.id is None else Assignee(type=self.type, id=self.id)


class TemplateTask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A task to be made. The others of the template know it as `ref`."""

    ref: str
    title: str
    description: str = ""
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    estimate_minutes: int | None = None
    start: Timing | None = None
    due: Timing | None = None
    assignee: Whom | None = None
    checklist: tuple[str, ...] = ()
    parent: str | None = None
    depends_on: tuple[str, ...] = ()


class Definition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that a version of a template says."""

    name: str
    description: str = ""
    variables: tuple[Variable, ...] = ()
    tasks: tuple[TemplateTask, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that tasks are given to, each once."""
        named = (task.assignee.role for task in self.tasks if task.assignee is not None)
        return tuple(dict.fromkeys(role for role in named if role is not None))


class TemplateSaved(Event, frozen=True, kw_only=True):
    """What a template is from then on; the version is that of the event."""

    name: str
    description: str = ""
    variables: tuple[Variable, ...] = ()
    tasks: tuple[TemplateTask, ...] = ()

    @property
    def definition(self) -> Definition:
        """It, as one value."""
        return Definition(**asdict(self))


@stored("template.created")
class TemplateCreated(TemplateSaved, frozen=True, kw_only=True):
    """A template came to be."""


@stored("template.changed")
class TemplateChanged(TemplateSaved, frozen=True, kw_only=True):
    """It is this one from now on."""


@stored("template.deleted")
class TemplateDeleted(Event, frozen=True, kw_only=True):
    """It makes no more tasks. Those that it made stay what they are."""


@stored("template.revived")
class TemplateRevived(TemplateSaved, frozen=True, kw_only=True):
    """The deletion was taken back: it makes tasks again, and is what it was."""


class Template(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a template: the fold of its stream. Encoded as JSON it is the document that clients get."""

    id: str
    version: int
    position: int
    name: str
    description: str
    variables: tuple[Variable, ...]
    tasks: tuple[TemplateTask, ...]
    created_by: str
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None

    @property
    def definition(self) -> Definition:
        """What its last version says."""
        return Definition(name=self.name, description=self.description, variables=self.variables, tasks=self.tasks)


def evolve(template: Template | None, recorded: Recorded) -> Template:
    """The next state. Total over every logged event of a template: what was erased of it leaves what was before."""
    before = template or _begun(recorded)
    after = replace(before, version=recorded.version, position=recorded.position, updated_at=recorded.recorded_at)
    event = recorded.event
    if isinstance(event, TemplateSaved):
        after = replace(after, **asdict(event))
    match name_of(event):
        case "template.deleted":
            return replace(after, deleted_at=recorded.recorded_at)
        case "template.revived":
            return replace(after, deleted_at=None)
        case _:
            return after


def _begun(recorded: Recorded) -> Template:
    return Template(
        id=recorded.stream_id,
        version=0,
        position=0,
        name=ERASED_NAME,
        description="",
        variables=(),
        tasks=(),
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        deleted_at=None,
    )
