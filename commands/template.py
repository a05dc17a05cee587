"""The commands on templates. What makes tasks of one is in `commands/instantiating.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from commands.appending import Fact
from commands.deciding import Context, forbidden
from domain.errors import NotFound
from domain.policy import Action, may, to_workspace
from domain.template import (
    Definition,
    Template,
    TemplateChanged,
    TemplateCreated,
    TemplateDeleted,
    TemplateTask,
    Variable,
)
from domain.template_check import check


@dataclass(frozen=True, slots=True)
class TemplateCommand:
    """A command on one template."""

    template_id: str

    @property
    def stream_id(self) -> str:
        """The template's own stream."""
        return self.template_id


@dataclass(frozen=True, slots=True)
class CreateTemplate(TemplateCommand):
    """Write a template down; `template_id` is new."""

    definition: Definition

    def decide(self, context: Context) -> Sequence[Fact]:
        """The creation. Raises `Invalid` as `domain.template_check.check` does."""
        event = TemplateCreated(**asdict(check(self.definition)))
        check_may(context, Action.TEMPLATE_CREATE)
        context.begin(self.template_id)
        return [Fact(self.template_id, event)]


@dataclass(frozen=True, slots=True)
class ChangeTemplate(TemplateCommand):
    """Make a template another one. What is UNSET stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    variables: tuple[Variable, ...] | UnsetType = UNSET
    tasks: tuple[TemplateTask, ...] | UnsetType = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """The whole of it as it is from now on, unless it is that already. Raises as a creation does."""
        template = existing(context, self.template_id)
        check_may(context, Action.TEMPLATE_CHANGE)
        before = asdict(template.definition)
        given = {field: value for field in before if (value := getattr(self, field)) is not UNSET}
        definition = check(Definition(**(before | given)))
        if definition == template.definition:
            return []
        return [Fact(self.template_id, TemplateChanged(**asdict(definition)))]


@dataclass(frozen=True, slots=True)
class DeleteTemplate(TemplateCommand):
    """Let a template make no more tasks."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The deletion."""
        existing(context, self.template_id)
        check_may(context, Action.TEMPLATE_CHANGE)
        return [Fact(self.template_id, TemplateDeleted())]


def existing(context: Context, template_id: str) -> Template:
    """A template that is there. Raises `NotFound`."""
    template = context.read(template_id, Template)
    if template is None or template.deleted_at:
        raise template_not_found()
    return template


def check_may(context: Context, action: Action) -> None:
    """Raises `Forbidden` where the actor may not do that to the templates of the workspace."""
    actor = context.actor()
    if not may(actor.role, action, to_workspace(actor)):
        raise forbidden(actor, action)


def template_not_found() -> NotFound:
    """Unknown, or deleted."""
    return NotFound("template.not_found", "no template of this workspace has this id")


def version_not_found() -> NotFound:
    """There is none of this number."""
    return NotFound("template.version_not_found", "the template has no version with this number")
