"""Who may do and see what: one table over role, relation and action, for the write side, the read side and the sockets.

A cell names the relations to the thing in which a role may do it. The rule for seeing tasks is the row `task.read`: a
role that may read what it is unrelated to sees everything; any other sees what is its own, which is what it created,
what is assigned to it, and what is assigned to its teams. A task in a project is its members' own, and nobody else's.
"""

from collections.abc import Callable, Mapping
from enum import IntFlag, StrEnum
from typing import Final, NamedTuple

from domain.project import ProjectRole
from domain.task import Task
from domain.task_fields import Owned
from domain.team import TeamRole
from domain.user import Role, User
from domain.view import Sharing, View
from domain.workflow import Mover


class Action(StrEnum):
    """What can be allowed or not. Where it is a command, it has the command's name."""

    BATCH_SEND = "batch.send"
    TASK_READ = "task.read"
    TASK_CREATE = "task.create"
    TASK_EDIT = "task.edit"
    TASK_ASSIGN = "task.assign"
    TASK_UNASSIGN = "task.unassign"
    TASK_MOVE = "task.move"
    TASK_PLACE = "task.place"
    TASK_DELETE = "task.delete"
    TASK_RESTORE = "task.restore"
    TASK_PURGE = "task.purge"
    TASK_AUDIT = "task.audit"
    COMMENT_POST = "comment.post"
    COMMENT_EDIT = "comment.edit"
    COMMENT_DELETE = "comment.delete"
    COMMENT_RECALL = "comment.recall"
    WATCHER_ADD = "watcher.add"
    WATCHER_REMOVE = "watcher.remove"
    CHECKLIST_CHANGE = "checklist.change"
    TIME_ADD = "time.add"
    TIME_CHANGE = "time.change"
    ATTACHMENT_ADD = "attachment.add"
    ATTACHMENT_REMOVE = "attachment.remove"
    REMINDER_CHANGE = "reminder.change"
    TAG_CHANGE = "tag.change"
    UNDO = "undo"
    ASSIGNEE_CHOOSE = "assignee.choose"
    USER_READ = "user.read"
    USER_CHANGE_ROLE = "user.change_role"
    USER_DEACTIVATE = "user.deactivate"
    USER_REACTIVATE = "user.reactivate"
    USER_RESET_FACTOR = "user.reset_factor"
    USER_INVITE = "user.invite"
    PROFILE_READ = "profile.read"
    PROFILE_CHANGE = "profile.change"
    NOTIFICATION_READ = "notification.read"
    NOTIFICATION_MARK = "notification.mark"
    PROJECT_READ = "project.read"
    PROJECT_CREATE = "project.create"
    PROJECT_EDIT = "project.edit"
    PROJECT_ARCHIVE = "project.archive"
    PROJECT_DELETE = "project.delete"
    PROJECT_ADD_MEMBER = "project.add_member"
    PROJECT_REMOVE_MEMBER = "project.remove_member"
    TEAM_READ = "team.read"
    TEAM_CREATE = "team.create"
    TEAM_EDIT = "team.edit"
    TEAM_DELETE = "team.delete"
    TEAM_ADD_MEMBER = "team.add_member"
    TEAM_REMOVE_MEMBER = "team.remove_member"
    JOB_READ = "job.read"
    JOB_CANCEL = "job.cancel"
    WORKFLOW_READ = "workflow.read"
    WORKFLOW_CREATE = "workflow.create"
    WORKFLOW_CHANGE = "workflow.change"
    TEMPLATE_READ = "template.read"
    TEMPLATE_CREATE = "template.create"
    TEMPLATE_CHANGE = "template.change"
    VIEW_READ = "view.read"
    VIEW_CREATE = "view.create"
    VIEW_SHARE = "view.share"
    VIEW_CHANGE = "view.change"


class Relation(IntFlag):
    """What somebody is to a thing. Several at once may be true; `UNRELATED` always is."""

    UNRELATED = 1
    SELF = 2  # the thing is the user, or the user's own: a comment, an hour of work
    CREATOR = 4  # of the task
    ASSIGNEE = 8  # of the task
    TEAM = 16  # a member of the team, or of the team that the task is assigned to
    LEAD = 32  # a lead of the team
    TEAMMATE = 64  # of the user: some team has both
    VIEWER = 128  # of the project, or of the one that the task is in
    EDITOR = 256  # of the project, or of the one that the task is in
    PROJECT_LEAD = 512  # of the project, or of the one that the task is in
    PROJECTMATE = 1024  # of the user: the project that the task is in has both
    SHARED = 2048  # of a view: others have it too


NONE: Final = Relation(0)
ANY: Final = Relation.UNRELATED
PART: Final = Relation.EDITOR | Relation.PROJECT_LEAD
OWN: Final = Relation.CREATOR | Relation.ASSIGNEE | Relation.TEAM | PART
SEEN: Final = OWN | Relation.VIEWER
SELF: Final = Relation.SELF
SHARED: Final = Relation.SHARED
VIEWER: Final = Relation.VIEWER
TEAM: Final = Relation.TEAM
TEAMMATE: Final = Relation.TEAMMATE
LEAD: Final = Relation.LEAD
PROJECTMATE: Final = Relation.PROJECTMATE
PROJECT_LEAD: Final = Relation.PROJECT_LEAD
LEADS: Final = LEAD | PROJECT_LEAD
MEMBER: Final = PART | Relation.VIEWER

_TABLE: Final[Mapping[Action, Mapping[Role, int]]] = {
    action: dict(zip((Role.ADMIN, Role.MANAGER, Role.MEMBER, Role.AUDITOR), map(int, cells), strict=True))
    for action, cells in {
        #                           admin manager member                   auditor
        # Of what is sent together each command is judged by its own row.
        Action.BATCH_SEND:         (SELF, SELF, SELF,                       SELF),
        Action.TASK_READ:          (ANY,  ANY,  SEEN,                       ANY),
        Action.TASK_CREATE:        (ANY,  ANY,  ANY,                        NONE),
        Action.TASK_EDIT:          (ANY,  ANY,  OWN,                        NONE),
        Action.TASK_ASSIGN:        (ANY,  ANY,  OWN,                        NONE),
        Action.TASK_UNASSIGN:      (ANY,  ANY,  OWN,                        NONE),
        Action.TASK_MOVE:          (ANY,  ANY,  OWN,                        NONE),
        # Into which project: the relation is that to the project.
        Action.TASK_PLACE:         (ANY,  ANY,  PART,                       NONE),
        Action.TASK_DELETE:        (ANY,  ANY,  OWN,                        NONE),
        Action.TASK_RESTORE:       (ANY,  ANY,  OWN,                        NONE),
        Action.TASK_PURGE:         (ANY,  ANY,  NONE,                       NONE),
        Action.TASK_AUDIT:         (ANY,  ANY,  NONE,                       ANY),  # the history of what was purged
        # Of what is around a task: SELF is its author, LEADS lead its project, or the team that it is assigned to.
        Action.COMMENT_POST:       (ANY,  ANY,  SEEN,                       NONE),
        Action.COMMENT_EDIT:       (SELF, SELF, SELF,                       NONE),
        Action.COMMENT_DELETE:     (ANY,  ANY,  SELF | LEADS,               NONE),
        Action.COMMENT_RECALL:     (ANY,  ANY,  NONE,                       ANY),  # what a deleted one said
        Action.WATCHER_ADD:        (ANY,  ANY,  SELF | LEADS,               SELF),
        Action.WATCHER_REMOVE:     (ANY,  ANY,  SELF | LEADS,               SELF),
        Action.CHECKLIST_CHANGE:   (ANY,  ANY,  OWN,                        NONE),
        Action.TIME_ADD:           (ANY,  ANY,  OWN,                        NONE),
        Action.TIME_CHANGE:        (ANY,  ANY,  SELF | LEADS,               NONE),
        Action.ATTACHMENT_ADD:     (ANY,  ANY,  OWN,                        NONE),
        Action.ATTACHMENT_REMOVE:  (ANY,  ANY,  SELF | LEADS,               NONE),
        Action.REMINDER_CHANGE:    (SELF, SELF, SELF,                       SELF),
        # Of the workspace, so of every task, also of those that the actor does not see.
        Action.TAG_CHANGE:         (ANY,  ANY,  NONE,                       NONE),
        # Of what somebody did: SELF is who did it. What it means now must be allowed as well.
        Action.UNDO:               (ANY,  ANY,  SELF,                       NONE),
        # To whom: the relation is that to the user or team who is to get the task.
        Action.ASSIGNEE_CHOOSE:    (ANY,  ANY,  SELF | TEAMMATE | LEAD | PROJECTMATE, NONE),
        Action.USER_READ:          (ANY,  ANY,  ANY,                        ANY),
        Action.USER_CHANGE_ROLE:   (ANY,  NONE, NONE,                       NONE),
        Action.USER_DEACTIVATE:    (ANY,  NONE, NONE,                       NONE),
        Action.USER_REACTIVATE:    (ANY,  NONE, NONE,                       NONE),
        Action.USER_RESET_FACTOR:  (ANY,  NONE, NONE,                       NONE),
        Action.USER_INVITE:        (ANY,  ANY,  NONE,                       NONE),
        Action.PROFILE_READ:       (SELF, SELF, SELF,                       SELF),
        Action.PROFILE_CHANGE:     (SELF, SELF, SELF,                       SELF),
        Action.NOTIFICATION_READ:  (SELF, SELF, SELF,                       SELF),
        Action.NOTIFICATION_MARK:  (SELF, SELF, SELF,                       SELF),
        Action.PROJECT_READ:       (ANY,  ANY,  MEMBER,                     ANY),
        Action.PROJECT_CREATE:     (ANY,  ANY,  ANY,                        NONE),
        Action.PROJECT_EDIT:       (ANY,  ANY,  PROJECT_LEAD,               NONE),
        Action.PROJECT_ARCHIVE:    (ANY,  ANY,  PROJECT_LEAD,               NONE),
        Action.PROJECT_DELETE:     (ANY,  ANY,  PROJECT_LEAD,               NONE),
        Action.PROJECT_ADD_MEMBER: (ANY,  ANY,  PROJECT_LEAD,               NONE),
        Action.PROJECT_REMOVE_MEMBER: (ANY, ANY, PROJECT_LEAD | SELF,       SELF),
        Action.TEAM_READ:          (ANY,  ANY,  ANY,                        ANY),
        Action.TEAM_CREATE:        (ANY,  ANY,  NONE,                       NONE),
        Action.TEAM_EDIT:          (ANY,  ANY,  LEAD,                       NONE),
        Action.TEAM_DELETE:        (ANY,  ANY,  NONE,                       NONE),
        Action.TEAM_ADD_MEMBER:    (ANY,  ANY,  LEAD,                       NONE),
        Action.TEAM_REMOVE_MEMBER: (ANY,  ANY,  LEAD | SELF,                SELF),
        # SELF is who asked for it.
        Action.JOB_READ:           (ANY,  SELF, SELF,                       SELF),
        Action.JOB_CANCEL:         (ANY,  SELF, SELF,                       SELF),
        Action.WORKFLOW_READ:      (ANY,  ANY,  ANY,                        ANY),
        Action.WORKFLOW_CREATE:    (ANY,  ANY,  NONE,                       NONE),
        Action.WORKFLOW_CHANGE:    (ANY,  ANY,  NONE,                       NONE),
        # Of the workspace: LEAD leads any team of it. Who may create tasks may make them of a template.
        Action.TEMPLATE_READ:      (ANY,  ANY,  ANY,                        ANY),
        Action.TEMPLATE_CREATE:    (ANY,  ANY,  LEAD,                       NONE),
        Action.TEMPLATE_CHANGE:    (ANY,  ANY,  LEAD,                       NONE),
        # Of a view SELF is its owner, VIEWER whoever is in a workspace that has it. What is private is nobody else's.
        Action.VIEW_READ:          (SELF | SHARED, SELF | SHARED, SELF | VIEWER | TEAM, SELF | SHARED),
        Action.VIEW_CREATE:        (ANY,  ANY,  ANY,                        NONE),
        Action.VIEW_SHARE:         (ANY,  ANY,  TEAM,                       NONE),  # with a team
        Action.VIEW_CHANGE:        (SELF | SHARED, SELF | SHARED, SELF | LEAD, NONE),
    }.items()
}  # fmt: skip


def cell(role: Role, action: Action) -> Relation:
    """In which relations a role may do it."""
    return Relation(_TABLE[action][role])


def may(role: Role, action: Action, relations: int = Relation.UNRELATED) -> bool:
    """Whether a role may do it to a thing in these relations to it."""
    return bool(_TABLE[action][role] & relations)


def may_make(user: User, task: Task, who: tuple[Mover, ...]) -> bool:
    """Whether somebody who may move a task of a project may make a move that is only for some of these.

    Whoever makes the workflows may make every move of them.
    """
    if not who or may(user.role, Action.WORKFLOW_CHANGE):
        return True
    return any(_IS[mover](user, task) for mover in who)


def _project_role(user: User, task: Task) -> ProjectRole | None:
    return None if task.project_id is None else user.projects.get(task.project_id)


_IS: Final[Mapping[Mover, Callable[[User, Task], bool]]] = {
    Mover.EDITOR: lambda user, task: _project_role(user, task) in (ProjectRole.EDITOR, ProjectRole.LEAD),
    Mover.LEAD: lambda user, task: _project_role(user, task) is ProjectRole.LEAD,
    Mover.ASSIGNEE: lambda user, task: task.assignee is not None and task.assignee.id in (user.id, *user.teams),
    Mover.CREATOR: lambda user, task: task.created_by == user.id,
}


# Which roles one may give away by an invite. Managers bring in those whose work they lead, and who look on; who is to
# have a say over others is an admin's choice, as `user.change_role` is.
_INVITABLE: Final[Mapping[Role, frozenset[Role]]] = {
    Role.ADMIN: frozenset(Role),
    Role.MANAGER: frozenset({Role.MEMBER, Role.AUDITOR}),
}


def may_invite(role: Role, invited: Role) -> bool:
    """Whether a role may invite somebody to join with a role."""
    return may(role, Action.USER_INVITE) and invited in _INVITABLE.get(role, frozenset())


_UNRELATED: Final = int(Relation.UNRELATED)
_CREATOR: Final = int(Relation.CREATOR)
_ASSIGNEE: Final = int(Relation.ASSIGNEE)
_SELF: Final = int(Relation.SELF)
_TEAM: Final = int(Relation.TEAM)
_LEAD: Final = int(Relation.LEAD)
_TEAMMATE: Final = int(Relation.TEAMMATE)


def to_task(user: User, task: Task) -> int:
    """The relations of a user to a task. In a project, those to the project are all that count."""
    if task.project_id is not None:
        return to_project(user, task.project_id)
    relations = _UNRELATED
    if task.created_by == user.id:
        relations |= _CREATOR
    if task.assignee is not None:
        if task.assignee.id == user.id:
            relations |= _ASSIGNEE
        elif task.assignee.id in user.teams:
            relations |= _TEAM
    return relations


def to_team(user: User, team_id: str) -> int:
    """The relations of a user to a team."""
    match user.teams.get(team_id):
        case TeamRole.LEAD:
            return _UNRELATED | _TEAM | _LEAD
        case TeamRole.MEMBER:
            return _UNRELATED | _TEAM
        case _:
            return _UNRELATED


def to_workspace(user: User) -> int:
    """The relations of a user to what is the whole workspace's: a lead of a team is one here."""
    return _UNRELATED | _LEAD if TeamRole.LEAD in user.teams.values() else _UNRELATED


_IN_PROJECT: Final = {
    ProjectRole.VIEWER: int(Relation.UNRELATED | Relation.VIEWER),
    ProjectRole.EDITOR: int(Relation.UNRELATED | Relation.EDITOR),
    ProjectRole.LEAD: int(Relation.UNRELATED | Relation.PROJECT_LEAD),
}


def to_project(user: User, project_id: str) -> int:
    """The relations of a user to a project."""
    role = user.projects.get(project_id)
    return _UNRELATED if role is None else _IN_PROJECT[role]


def to_user(user: User, other: User) -> int:
    """The relations of a user to a user."""
    relations = _UNRELATED | (_SELF if user.id == other.id else 0)
    return relations if user.teams.keys().isdisjoint(other.teams) else relations | _TEAMMATE


def to_view(user: User, view: View) -> int:
    """The relations of a user to a saved view: to whom it is shared, and whose it is."""
    relations = _UNRELATED | (_SELF if view.created_by == user.id else 0)
    match view.sharing:
        case Sharing.PRIVATE:
            return relations
        case Sharing.WORKSPACE:
            return relations | int(Relation.SHARED | Relation.VIEWER)
        case Sharing.TEAM:
            return relations | int(Relation.SHARED) | to_team(user, view.team_id or "")


class Eyes(NamedTuple):
    """How somebody looks at tasks: with a role, and as these ids: their own, and those of their teams and projects."""

    role: Role
    ids: frozenset[str]

    @property
    def see_all(self) -> bool:
        """Whether they see every task."""
        return bool(_TABLE[Action.TASK_READ][self.role] & _UNRELATED)

    def see(self, audience: frozenset[str]) -> bool:
        """Whether they see a task that is this audience's own."""
        return self.see_all or not self.ids.isdisjoint(audience)


def eyes(user: User) -> Eyes:
    """Those of a user as they are now."""
    return Eyes(user.role, frozenset((user.id, *user.teams, *user.projects)))


def audience(task: Owned) -> frozenset[str]:
    """To whom the task is their own: the project that it is in, or else its creator and its assignee."""
    if task.project_id is not None:
        return frozenset((task.project_id,))
    if task.assignee is None:
        return frozenset((task.created_by,))
    return frozenset((task.created_by, task.assignee.id))
