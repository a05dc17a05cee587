"""What can be taken back: for every stored event, what it set, or why it stays.

An undo takes back all that one command wrote. Three tables share the events: `LOOKS` are those that are taken back,
each with what it set; `FOLLOWING` say in a second stream what one of the others says, and go with it; `STAYING` cannot
be taken back, and neither can a command that wrote one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import UNSET

from domain import (
    attachment,
    checklist,
    comment,
    project,
    reminder,
    series,
    tagbook,
    task,
    task_links,
    team,
    template,
    timesheet,
    user,
    view,
    watching,
)
from domain.board import BoardTaskArrived, BoardTaskLeft
from domain.custom_workflow import (
    WorkflowAdopted,
    WorkflowChanged,
    WorkflowCreated,
    WorkflowDeleted,
    WorkflowDropped,
    WorkflowRevived,
)
from domain.events import Event
from domain.inbox import Inbox, InboxRead, InboxReadThrough, InboxUnread
from domain.instantiation import InstantiationCompleted
from domain.invite import InviteAccepted, InviteCreated, InviteWithdrawn
from domain.numbering import NumberGiven
from domain.project_key import ProjectKeyTaken
from domain.shelf import ShelfViewAdded, ShelfViewRemoved
from domain.task_series import TaskFollowed, TaskSeriesJoined, TaskSeriesLeft
from domain.task_time import TaskDuePassed, TaskPurged
from domain.workspace import AdminAdded, AdminRemoved, WorkspaceFounded

DAYS: Final = 30  # how long a command can be taken back
EVENTS_MAX: Final = 5_000  # that one command wrote: each is looked at

# What an event set, by the names of fields, as it is in a state of its stream: as long as that is so, nothing that came
# later contradicts it. Fields of who did it and when are no part of it, because these stay.
Look = Callable[[Any, Any], Mapping[str, object]]


def _fields(*names: str) -> Look:
    return lambda state, _: {name: getattr(state, name) for name in names}


def set_by(event: Event, state: Any) -> dict[str, Any]:
    """The fields that an edit set, as they are in a state."""
    names = (name for name in event.__struct_fields__ if getattr(event, name) is not UNSET)
    return {name: getattr(state, name) for name in names}


def _edited(state: Any, event: Event) -> Mapping[str, object]:
    """Those fields alone that the event set."""
    return set_by(event, state)


def _deleted(*names: str) -> Look:
    """Whether it is deleted, not since when, and these fields."""
    return lambda state, _: {"deleted": state.deleted_at is not None, **{name: getattr(state, name) for name in names}}


_AS_CREATED: Final = (
    *task.EDITABLE,
    *("status", "category", "assignee", "project_id", "key", "parent_id", "subtasks", "links", "series_id"),
)


def _link(state: task.Task, event: Any) -> Mapping[str, object]:
    return {"links": any((link.type, link.task_id) == (event.type, event.task_id) for link in state.links)}


def _watcher(state: watching.Watching, event: Any) -> Mapping[str, object]:
    return {"watchers": (state.added.get(event.user_id), event.user_id in state.removed)}


def _item(*names: str) -> Look:
    def look(state: checklist.Checklist, event: Any) -> Mapping[str, object]:
        item = state.item(event.item_id)
        return {"item": item is not None, **{name: getattr(item, name, None) for name in names}}

    return look


def _place(state: checklist.Checklist, event: Any) -> Mapping[str, object]:
    return {"item": state.item(event.item_id) is not None, "after": above(state.items, event.item_id)}


def above(items: tuple[checklist.Item, ...], item_id: str) -> str | None:
    """The item of a checklist that stands right above another one; None above the first, and above none."""
    ids = [item.id for item in items]
    place = ids.index(item_id) if item_id in ids else 0
    return ids[place - 1] if place else None


def _entry(state: timesheet.Timesheet, event: Any) -> Mapping[str, object]:
    entry = state.entry(event.entry_id)
    names = [name for name in timesheet.EDITABLE if getattr(event, name, None) is not UNSET]
    return {"entry": entry is not None, **{name: getattr(entry, name, None) for name in names}}


def _file(state: attachment.Attachments, event: Any) -> Mapping[str, object]:
    return {"attachment": state.attachment(event.attachment_id) is not None}


def _member(state: project.Project | team.Team, event: Any) -> Mapping[str, object]:
    return {"members": state.members.get(event.user_id), "deleted": state.deleted_at is not None}


def _archived(state: project.Project, _: Any) -> Mapping[str, object]:
    return {"archived": state.archived_at is not None, "deleted": state.deleted_at is not None}


def _reminder(state: reminder.Reminders, event: Any) -> Mapping[str, object]:
    return {"reminder": any(each.id == event.reminder_id for each in state.reminders)}


def _skipped(state: series.Series, event: Any) -> Mapping[str, object]:
    return {"skipped": event.occurrence in state.skipped}


_RULED: Final = _fields(
    *("recurrence", "anchor", "pattern", "task_id", "latest", "passed", "skipped", "ended_because"),
)


def _marked(read: bool) -> Look:
    return lambda state, event: {"read": all(state.has_read(position) is read for position in event.positions)}


def _renamed(state: tagbook.Tagbook, event: tagbook.TagRenamed) -> Mapping[str, object]:
    """What the name stands for, by this renaming or another one."""
    return {"name": (state.today.get(event.name), state.since.get(event.name))}


def _removed(state: tagbook.Tagbook, event: tagbook.TagRemoved) -> Mapping[str, object]:
    """It stands for no other tag, and does not look like anything: a name that is free may be on tasks again."""
    return {"name": state.now(event.name) in (None, event.name), "look": state.looks.get(event.name)}


def _rewriting_undone(state: tagbook.Tagbook, event: tagbook.RewritingUndone) -> Mapping[str, object]:
    names = (event.name,) if event.of is None else (event.name, event.of)
    return {"name": [state.now(name) for name in names], "look": state.looks.get(event.name)}


def _read_through(state: Inbox, event: InboxReadThrough) -> Mapping[str, object]:
    return {"read": state.through >= event.position and not any(at <= event.position for at in state.unread)}


LOOKS: Final[Mapping[type[Event], Look]] = {
    task.TaskCreated: _deleted(*_AS_CREATED),
    task.TaskEdited: _edited,
    task.TaskProjectChanged: _fields("project_id", "key", "status", "category"),
    task.TaskAssigned: _fields("assignee"),
    task.TaskUnassigned: _fields("assignee"),
    **dict.fromkeys((*task.MOVES.values(), task.TaskMovedOn), _fields("status", "category")),
    task.TaskStatusMapped: _fields("status", "category"),
    task.TaskStatusRestored: _fields("status", "category"),
    task.TaskDeleted: _deleted("parent_id"),
    task.TaskRestored: _deleted("parent_id"),
    task_links.TaskParentChanged: _fields("parent_id"),
    task_links.TaskLinked: _link,
    task_links.TaskUnlinked: _link,
    comment.CommentPosted: _deleted("body"),
    comment.CommentEdited: _deleted("body"),
    comment.CommentDeleted: _deleted(),
    comment.CommentRestored: _deleted("body"),
    watching.WatcherAdded: _watcher,
    watching.WatcherRemoved: _watcher,
    watching.WatcherRestored: _watcher,
    checklist.ItemAdded: _item("text", "checked"),
    checklist.ItemEdited: _item("text"),
    checklist.ItemChecked: _item("checked"),
    checklist.ItemUnchecked: _item("checked"),
    checklist.ItemMoved: _place,
    checklist.ItemRemoved: _item(),
    timesheet.EntryAdded: _entry,
    timesheet.EntryEdited: _entry,
    timesheet.EntryRemoved: _entry,
    attachment.AttachmentAdded: _file,
    attachment.AttachmentRemoved: _file,
    InboxRead: _marked(read=True),
    InboxUnread: _marked(read=False),
    InboxReadThrough: _read_through,
    project.ProjectCreated: _deleted(*project.EDITABLE, "workflow_id", "archived_at"),
    project.ProjectEdited: _edited,
    project.ProjectMemberAdded: _member,
    project.ProjectMemberRoleChanged: _member,
    project.ProjectMemberRemoved: _member,
    project.ProjectArchived: _archived,
    project.ProjectRestored: _archived,
    project.ProjectWorkflowChanged: _deleted("workflow_id"),
    project.ProjectDeleted: _deleted(),
    project.ProjectRevived: _deleted(*project.EDITABLE, "workflow_id", "archived_at"),
    team.TeamCreated: _deleted(*team.EDITABLE),
    team.TeamEdited: _edited,
    team.TeamMemberAdded: _member,
    team.TeamMemberRoleChanged: _member,
    team.TeamMemberRemoved: _member,
    team.TeamDeleted: _deleted(),
    team.TeamRevived: _deleted(*team.EDITABLE),
    user.UserRoleChanged: _fields("role"),
    user.UserDeactivated: _fields("active"),
    user.UserReactivated: _fields("active"),
    InviteCreated: _fields("status"),
    WorkflowCreated: _deleted("name", "definition"),
    WorkflowChanged: _fields("name", "definition"),
    WorkflowDeleted: _deleted(),
    WorkflowRevived: _deleted("name", "definition"),
    tagbook.TagDescribed: lambda state, event: {"look": state.looks.get(event.name)},
    tagbook.TagRenamed: _renamed,
    tagbook.TagRemoved: _removed,
    tagbook.RewritingUndone: _rewriting_undone,
    reminder.ReminderAdded: _reminder,
    reminder.ReminderRemoved: _reminder,
    series.SeriesStarted: _RULED,
    series.SeriesRuleChanged: _RULED,
    series.SeriesRestored: _RULED,
    series.SeriesOccurrenceSkipped: _skipped,
    series.SeriesOccurrencesMissed: _fields("passed", "skipped"),
    series.SeriesEnded: _fields("ended_because"),
    template.TemplateCreated: _deleted("definition"),
    template.TemplateChanged: _deleted("definition"),
    template.TemplateDeleted: _deleted(),
    template.TemplateRevived: _deleted("definition"),
    view.ViewCreated: _deleted(*view.EDITABLE, "sharing", "team_id"),
    view.ViewEdited: _edited,
    view.ViewShared: _fields("sharing", "team_id"),
    view.ViewDeleted: _deleted(),
    view.ViewRevived: _deleted(*view.EDITABLE, "sharing", "team_id"),
}

FOLLOWING: Final[frozenset[type[Event]]] = frozenset(
    {
        *(task_links.TaskSubtaskAdded, task_links.TaskSubtaskRemoved),
        *(task_links.TaskSubtaskClosed, task_links.TaskSubtaskReopened),
        *(task_links.TaskBlockerClosed, task_links.TaskBlockerReopened),
        *(BoardTaskArrived, BoardTaskLeft, NumberGiven, ProjectKeyTaken),
        *(WorkflowAdopted, WorkflowDropped, AdminAdded, AdminRemoved),
        *(user.UserTeamJoined, user.UserTeamRoleChanged, user.UserTeamLeft),
        *(user.UserProjectJoined, user.UserProjectRoleChanged, user.UserProjectLeft),
        *(TaskSeriesJoined, TaskSeriesLeft, TaskFollowed, InstantiationCompleted),
        *(ShelfViewAdded, ShelfViewRemoved),
    }
)

_OUTSIDE: Final = "what changed stands outside the log, which does not know what was there before"
_SETTLED: Final = "it says that the tasks were rewritten; take the renaming or the removal itself back"
BY_ITSELF: Final = "time brought it about, and nobody's command"

STAYING: Final[Mapping[type[Event], str]] = {
    user.UserJoined: "somebody has come in; an admin can deactivate them",
    user.UserProfileChanged: _OUTSIDE,
    user.UserPasswordChanged: _OUTSIDE,
    user.UserSecondFactorAdded: _OUTSIDE,
    user.UserSecondFactorRemoved: _OUTSIDE,
    InviteAccepted: "somebody has come in by it; an admin can deactivate them",
    InviteWithdrawn: "its link is gone; make another invite",
    WorkspaceFounded: "a workspace is there for good",
    tagbook.TagSettled: _SETTLED,
    TaskDuePassed: BY_ITSELF,
    TaskPurged: "it was taken out of the trash for good, and its files are gone",
    reminder.ReminderFired: BY_ITSELF,
    series.SeriesOccurrenceMade: BY_ITSELF,
}
