"""Streams of every kind: the first part of an event's name is the kind, and the kind says how a stream folds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain import (
    attachment,
    board,
    checklist,
    comment,
    custom_workflow,
    inbox,
    instantiation,
    invite,
    numbering,
    project,
    project_key,
    reminder,
    series,
    shelf,
    tagbook,
    task,
    team,
    template,
    timesheet,
    user,
    view,
    watching,
    workspace,
)
from domain.events import Recorded, name_of

State = (
    task.Task
    | team.Team
    | project.Project
    | project_key.ProjectKey
    | numbering.Numbering
    | board.Board
    | custom_workflow.CustomWorkflow
    | user.User
    | invite.Invite
    | workspace.Workspace
    | comment.Comment
    | watching.Watching
    | checklist.Checklist
    | timesheet.Timesheet
    | attachment.Attachments
    | inbox.Inbox
    | tagbook.Tagbook
    | reminder.Reminders
    | series.Series
    | template.Template
    | instantiation.Instantiation
    | view.View
    | shelf.Shelf
)


class Kind(NamedTuple):
    """How the streams of a kind fold, and the name of the event that they begin with, and may hold `again`.

    None: they begin with any of the kind. `evolve_all` takes many events at once, where that is quicker; it gives what
    `evolve` gives, one after the other.
    """

    evolve: Callable[[Any, Recorded], State]
    begins: str | None = None
    again: bool = False
    evolve_all: Callable[[Any, Sequence[Recorded]], State] | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "task": Kind(task.evolve, "task.created"),
    "team": Kind(team.evolve, "team.created"),
    "project": Kind(project.evolve, "project.created"),
    "project_key": Kind(project_key.evolve, "project_key.taken"),
    "numbering": Kind(numbering.evolve, "numbering.given", again=True, evolve_all=numbering.evolve_all),
    "board": Kind(board.evolve, "board.task_arrived", again=True, evolve_all=board.evolve_all),
    "workflow": Kind(custom_workflow.evolve, "workflow.created"),
    "user": Kind(user.evolve, "user.joined"),
    "invite": Kind(invite.evolve, "invite.created"),
    "workspace": Kind(workspace.evolve, "workspace.founded"),
    "comment": Kind(comment.evolve, "comment.posted"),
    "watching": Kind(watching.evolve),
    "checklist": Kind(checklist.evolve),
    "timesheet": Kind(timesheet.evolve),
    "attachment": Kind(attachment.evolve),
    "inbox": Kind(inbox.evolve),
    "tagbook": Kind(tagbook.evolve),
    "reminder": Kind(reminder.evolve),
    "series": Kind(series.evolve, "series.started"),
    "template": Kind(template.evolve, "template.created"),
    "instantiation": Kind(instantiation.evolve, "instantiation.completed"),
    "view": Kind(view.evolve, "view.created"),
    "shelf": Kind(shelf.evolve, "shelf.view_added", again=True),
}


def kind_of(name: str) -> str:
    """The kind of stream that an event of this name belongs to."""
    return name.partition(".")[0]


def evolve(state: State | None, event: Recorded) -> State:
    """The next state of a stream of any kind."""
    return KINDS[kind_of(name_of(event.event))].evolve(state, event)


def evolve_all(state: State | None, events: Sequence[Recorded]) -> State | None:
    """The state of one stream after some more of its events."""
    kind = KINDS[kind_of(name_of(events[0].event))] if events else None
    if kind is not None and kind.evolve_all is not None:
        return kind.evolve_all(state, events)
    for event in events:
        state = evolve(state, event)
    return state


def fold(events: Iterable[Recorded]) -> State | None:
    """The state after some events of one stream, from its first."""
    return evolve_all(None, list(events))
