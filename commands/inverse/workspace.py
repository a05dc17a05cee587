"""Taking back what happened to people, invites, workflows, and what somebody has read."""

from collections.abc import Mapping, Sequence
from typing import Final

from commands.appending import Fact
from commands.deciding import Context
from commands.inbox import MarkRead, MarkUnread
from commands.inverse.step import Inverse, Step, depend_on
from commands.invite import WithdrawInvite
from commands.user import ChangeRole, DeactivateUser, ReactivateUser
from commands.workflow import ChangeWorkflow
from domain.custom_workflow import WorkflowChanged, WorkflowCreated, WorkflowDeleted, WorkflowRevived
from domain.events import Event
from domain.inbox import InboxRead, InboxReadThrough, InboxUnread
from domain.invite import InviteCreated
from domain.policy import Action
from domain.user import UserDeactivated, UserReactivated, UserRoleChanged


def _role_changed(context: Context, step: Step) -> Sequence[Fact]:
    return ChangeRole(step.stream_id, step.before.role).decide(context)


def _deactivated(context: Context, step: Step) -> Sequence[Fact]:
    return ReactivateUser(step.stream_id).decide(context)


def _reactivated(context: Context, step: Step) -> Sequence[Fact]:
    return DeactivateUser(step.stream_id).decide(context)


def _invited(context: Context, step: Step) -> Sequence[Fact]:
    return WithdrawInvite(step.stream_id).decide(context)


def _workflow_made(context: Context, step: Step) -> Sequence[Fact]:
    context.allowed(Action.WORKFLOW_CREATE)
    depend_on(context.workflow(step.stream_id).projects, "projects live by the workflow")
    return step.fact(WorkflowDeleted())


def _workflow_deleted(context: Context, step: Step) -> Sequence[Fact]:
    context.allowed(Action.WORKFLOW_CREATE)
    return step.fact(WorkflowRevived())


def _workflow_changed(context: Context, step: Step) -> Sequence[Fact]:
    """As it was. Tasks that came to a status since which it did not have stand in the way."""
    return ChangeWorkflow(step.stream_id, step.before.name, step.before.definition).decide(context)


def _read(context: Context, step: Step) -> Sequence[Fact]:
    positions = [each for each in step.event.positions if step.before is None or not step.before.has_read(each)]
    return MarkUnread(context.actor_id, tuple(positions)).decide(context)


def _unread(context: Context, step: Step) -> Sequence[Fact]:
    positions = [each for each in step.event.positions if step.before is not None and step.before.has_read(each)]
    return MarkRead(context.actor_id, tuple(positions)).decide(context)


def _read_through(context: Context, step: Step) -> Sequence[Fact]:
    """Those are unread again that were: as far as all are read that they are among, one by one."""
    return MarkUnread(context.actor_id, step.wrote.unread.get(step.recorded.position, ())).decide(context)


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    UserRoleChanged: _role_changed,
    UserDeactivated: _deactivated,
    UserReactivated: _reactivated,
    InviteCreated: _invited,
    WorkflowCreated: _workflow_made,
    WorkflowRevived: _workflow_made,
    WorkflowDeleted: _workflow_deleted,
    WorkflowChanged: _workflow_changed,
    InboxRead: _read,
    InboxUnread: _unread,
    InboxReadThrough: _read_through,
}
