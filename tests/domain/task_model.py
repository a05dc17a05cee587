"""A model of tasks, written without looking at the program: who may do what, and what becomes of it.

`expect` answers the code of the refusal, or None and changes the model. It is the oracle of the state machines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.user import ChangeRole
from domain.task import Task
from domain.task_fields import Assignee
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, MAX, ZOE

MEMBERS: Mapping[str, Role] = {
    ADA: Role.ADMIN,
    MAX: Role.MANAGER,
    BOB: Role.MEMBER,
    EVE: Role.MEMBER,
    ZOE: Role.AUDITOR,
}
MOVES: Mapping[str, Mapping[str, str]] = {
    "todo": {"start": "in_progress", "complete": "done", "cancel": "cancelled"},
    "in_progress": {"pause": "todo", "complete": "done", "cancel": "cancelled"},
    "done": {"reopen": "todo"},
    "cancelled": {"reopen": "todo"},
}
CATEGORIES: Mapping[str, str] = {"todo": "open", "in_progress": "active", "done": "done", "cancelled": "cancelled"}
EDITABLE = ("title", "description", "priority", "due_at", "tags")

Modelled = CreateTask | EditTask | AssignTask | UnassignTask | MoveTask | DeleteTask | RestoreTask | ChangeRole


class Refused(Exception):  # noqa: N818
    """The model says no, with this code."""


@dataclass
class ModelTask:
    """What is known of a task."""

    creator: str
    values: dict[str, object]
    assignee: str | None = None
    status: str = "todo"
    trashed: bool = False
    version: int = 1

    def matches(self, task: Task) -> None:
        """Assert that a state is this one."""
        assert task.version == self.version
        assert task.created_by == self.creator
        assert {name: getattr(task, name) for name in EDITABLE} == self.values
        assert (task.assignee and (task.assignee.type, task.assignee.id)) == (self.assignee and ("user", self.assignee))
        assert (task.status, task.category) == (self.status, CATEGORIES[self.status])
        assert (task.completed_at is not None) is (self.status == "done")
        assert (task.deleted_at is not None) is self.trashed


@dataclass
class Model:
    """A workspace: its members and its tasks."""

    roles: dict[str, Role] = field(default_factory=lambda: dict(MEMBERS))
    tasks: dict[str, ModelTask] = field(default_factory=dict)

    def expect(self, command: Modelled, actor: str) -> str | None:
        """The code of the refusal; None when the command is done, and then the model has changed."""
        try:
            match command:
                case CreateTask():
                    self._create(command, actor)
                case ChangeRole():
                    self._change_role(command, actor)
                case _:
                    self._change(command, actor)
        except Refused as refused:
            return str(refused)
        return None

    def _create(self, command: CreateTask, actor: str) -> None:
        _text(command.title)
        if self._role(actor) is Role.AUDITOR:
            raise Refused("auth.forbidden")
        task = ModelTask(actor, {name: getattr(command, name) for name in EDITABLE})
        if command.assignee is not None:
            self._assign(task, command.assignee.id, actor)
        self.tasks[command.task_id] = task

    def _change_role(self, command: ChangeRole, actor: str) -> None:
        if self._role(actor) is not Role.ADMIN:
            raise Refused("auth.forbidden")
        if command.user_id not in self.roles:
            raise Refused("user.not_found")
        admins = [user_id for user_id, role in self.roles.items() if role is Role.ADMIN]
        if admins == [command.user_id] and command.role is not Role.ADMIN:
            raise Refused("user.last_admin")
        self.roles[command.user_id] = command.role

    def _change(
        self, command: EditTask | AssignTask | UnassignTask | MoveTask | DeleteTask | RestoreTask, actor: str
    ) -> None:
        if isinstance(command, EditTask) and isinstance(command.title, str):
            _text(command.title)
        if isinstance(command, MoveTask | DeleteTask | RestoreTask) and "\x00" in (command.reason or ""):
            raise Refused("value.character")
        task = self._changeable(command.task_id, actor, trashed=isinstance(command, RestoreTask))
        match command:
            case EditTask():
                self._edit(task, command, actor)
            case AssignTask(assignee=assignee):
                self._assign(task, assignee.id, actor)
            case UnassignTask():
                self._assign(task, None, actor)
            case MoveTask(move=move):
                _move(task, move)
            case DeleteTask():
                task.trashed = True
                task.version += 1
            case RestoreTask() if task.trashed:
                task.trashed = False
                task.version += 1

    def _role(self, actor: str) -> Role:
        if actor not in self.roles:
            raise Refused("auth.unknown_user")
        return self.roles[actor]

    def _changeable(self, task_id: str, actor: str, *, trashed: bool) -> ModelTask:
        role = self._role(actor)
        task = self.tasks.get(task_id)
        if task is None or (task.trashed and not trashed):
            raise Refused("task.not_found")
        if role is Role.MEMBER and actor not in (task.creator, task.assignee):
            raise Refused("task.not_found")
        if role is Role.AUDITOR:
            raise Refused("auth.forbidden")
        return task

    def _edit(self, task: ModelTask, command: EditTask, actor: str) -> None:
        assignee = command.assignee
        if isinstance(assignee, Assignee) and assignee.id != task.assignee:
            self._may_assign(assignee.id, actor)
        given = {name: getattr(command, name) for name in EDITABLE}
        values = task.values | {name: value for name, value in given.items() if not _unset(value)}
        if values != task.values:
            task.values = values
            task.version += 1
        if assignee is None:
            self._assign(task, None, actor)
        elif isinstance(assignee, Assignee):
            self._assign(task, assignee.id, actor)

    def _assign(self, task: ModelTask, user_id: str | None, actor: str) -> None:
        if user_id == task.assignee:
            return
        if user_id is not None:
            self._may_assign(user_id, actor)
        task.assignee = user_id
        task.version += 1

    def _may_assign(self, user_id: str, actor: str) -> None:
        """There are no teams in this model: members give tasks to themselves only."""
        if user_id not in self.roles:
            raise Refused("assignee.not_found")
        if self.roles[actor] is Role.MEMBER and user_id != actor:
            raise Refused("assignee.not_allowed")


def _move(task: ModelTask, move: str) -> None:
    if move not in MOVES[task.status]:
        raise Refused("task.illegal_move")
    task.status = MOVES[task.status][move]
    task.version += 1


def _text(title: str) -> None:
    if not 1 <= len(title) <= 500:
        raise Refused("value.length")
    if "\x00" in title:
        raise Refused("value.character")
    if not title.strip():
        raise Refused("value.blank")


def _unset(value: object) -> bool:
    return type(value).__name__ == "UnsetType"
