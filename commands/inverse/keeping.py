"""Taking back what happened to what is kept for later use: saved views and templates."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import asdict

from commands.appending import Fact
from commands.deciding import Context, forbidden
from commands.inverse.step import Inverse, Step
from commands.template import ChangeTemplate, DeleteTemplate, check_may
from commands.view import DeleteView, EditView, check_sharing, put
from domain.events import Event
from domain.policy import Action, may, to_view
from domain.template import TemplateChanged, TemplateCreated, TemplateDeleted, TemplateRevived
from domain.undo import set_by
from domain.view import View, ViewCreated, ViewDeleted, ViewEdited, ViewRevived, ViewShared


def _view_made(context: Context, step: Step) -> Sequence[Fact]:
    return DeleteView(step.stream_id).decide(context)


def _view_edited(context: Context, step: Step) -> Sequence[Fact]:
    return EditView(step.stream_id, **set_by(step.event, step.before)).decide(context)


def _view_shared(context: Context, step: Step) -> Sequence[Fact]:
    return EditView(step.stream_id, sharing=step.before.sharing, team_id=step.before.team_id).decide(context)


def _view_deleted(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again, for those who had it: as long as the actor may share it with them."""
    actor, view = context.actor(), context.read(step.stream_id, View)
    if view is None or not may(actor.role, Action.VIEW_CHANGE, to_view(actor, view)):
        raise forbidden(actor, Action.VIEW_CHANGE)
    check_sharing(context, view.sharing, view.team_id)
    return [*step.fact(ViewRevived()), put(context, view.created_by, view.id)]


def _template_made(context: Context, step: Step) -> Sequence[Fact]:
    """What it made stays: that no more is made of it is all that its end means."""
    return DeleteTemplate(step.stream_id).decide(context)


def _template_changed(context: Context, step: Step) -> Sequence[Fact]:
    """A further version, which says what the one before said."""
    return ChangeTemplate(step.stream_id, **asdict(step.before.definition)).decide(context)


def _template_deleted(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again, as one more version: each says the whole of it."""
    check_may(context, Action.TEMPLATE_CHANGE)
    return step.fact(TemplateRevived(**asdict(step.before.definition)))


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    ViewCreated: _view_made,
    ViewRevived: _view_made,
    ViewEdited: _view_edited,
    ViewShared: _view_shared,
    ViewDeleted: _view_deleted,
    TemplateCreated: _template_made,
    TemplateRevived: _template_made,
    TemplateChanged: _template_changed,
    TemplateDeleted: _template_deleted,
}
