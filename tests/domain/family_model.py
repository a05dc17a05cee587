"""A model of tasks that belong to projects and to each other, written from the rules and not from the program.

It keeps what people did, and works out from that alone what each task shows: whether a blocker stands in the way is
asked of the blocker, and never stored. `expect` answers the code of the refusal, or None and changes the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from commands.dependencies import LinkTasks, UnlinkTasks
from commands.project import AddProjectMember, ArchiveProject, EditProject, RemoveProjectMember, RestoreProject
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain.task import Task
from tests.domain.given import ADA, BOB, EVE, PROJECT, VENTURE, ZOE

# Of a project, or of none; the workflow that it names will decide which table is its own.
STANDARD: Mapping[str, Mapping[str, str]] = {
    "todo": {"start": "in_progress", "complete": "done", "cancel": "cancelled"},
    "in_progress": {"pause": "todo", "complete": "done", "cancel": "cancelled"},
    "done": {"reopen": "todo"},
    "cancelled": {"reopen": "todo"},
}
CATEGORIES: Mapping[str, str] = {"todo": "open", "in_progress": "active", "done": "done", "cancelled": "cancelled"}
ROLES: Mapping[str, str] = {ADA: "admin", BOB: "member", EVE: "member", ZOE: "auditor"}
KEYS: Mapping[str, str] = {PROJECT: "APP", VENTURE: "VEN"}
INVERSES: Mapping[str, str] = {
    "blocks": "blocked_by",
    "blocked_by": "blocks",
    "relates": "relates",
    "duplicates": "duplicated_by",
    "duplicated_by": "duplicates",
}
DEEPEST = 8

Modelled = (
    CreateTask
    | EditTask
    | MoveTask
    | DeleteTask
    | RestoreTask
    | LinkTasks
    | UnlinkTasks
    | EditProject
    | ArchiveProject
    | RestoreProject
    | AddProjectMember
    | RemoveProjectMember
)


class Refused(Exception):  # noqa: N818
    """The model says no, with this code."""


@dataclass
class ModelProject:
    """A project: who is what in it, how strict it is, and how many keys it has given."""

    members: dict[str, str]
    blocking: str = "hard"
    archived: bool = False
    given: int = 0


@dataclass
class ModelTask:
    """A task. `trash` names the task with which it went to the trash."""

    creator: str
    project: str | None = None
    parent: str | None = None
    key: str | None = None
    status: str = "todo"
    trash: str | None = None
    links: set[tuple[str, str]] = field(default_factory=set)

    @property
    def category(self) -> str:
        return CATEGORIES[self.status]

    @property
    def closed(self) -> bool:
        return self.category in ("done", "cancelled")


@dataclass
class Model:
    """A workspace. `done` says of the last command what it did besides: whom it freed, and in spite of whom."""

    tasks: dict[str, ModelTask] = field(default_factory=dict)
    projects: dict[str, ModelProject] = field(
        default_factory=lambda: {
            PROJECT: ModelProject({BOB: "editor", EVE: "viewer"}),
            VENTURE: ModelProject({BOB: "lead", EVE: "editor"}, blocking="soft"),
        }
    )
    freed: set[str] = field(default_factory=set)
    despite: dict[str, set[str]] = field(default_factory=dict)

    def expect(self, command: Modelled, actor: str) -> str | None:
        """The code of the refusal; None when the command is done, and then the model has changed."""
        self.despite = {}
        waiting = {task_id for task_id in self.tasks if self._waits(task_id) and self.blockers(task_id)}
        try:
            match command:
                case CreateTask():
                    self._create(command, actor)
                case EditTask():
                    self._edit(command, actor)
                case MoveTask():
                    self._move(command, actor)
                case DeleteTask():
                    self._delete(command, actor)
                case RestoreTask():
                    self._restore(command, actor)
                case LinkTasks():
                    self._link(command, actor)
                case UnlinkTasks():
                    self._unlink(command, actor)
                case _:
                    self._change_project(command, actor)
        except Refused as refused:
            return str(refused)
        told = {task_id for task_id in waiting if self._waits(task_id) and not self.blockers(task_id)}
        self.freed = set() if isinstance(command, UnlinkTasks) else told
        return None

    # What can be seen of a task.

    def children(self, task_id: str) -> dict[str, bool]:
        """Its parts, and whether they are closed. Those of a task in the trash are those that went there with it."""
        trash = self.tasks[task_id].trash
        return {
            other_id: other.closed
            for other_id, other in self.tasks.items()
            if other.parent == task_id and other.trash == trash
        }

    def below(self, task_id: str) -> list[str]:
        return [each for child in self.children(task_id) for each in (child, *self.below(child))]

    def blockers(self, task_id: str) -> set[str]:
        """What stands in its way."""
        return {other for type_, other in self.tasks[task_id].links if type_ == "blocked_by" and not self._away(other)}

    def check(self, task_id: str, task: Task) -> None:
        """Assert that a state is this one."""
        mine = self.tasks[task_id]
        assert (task.created_by, task.project_id, task.key) == (mine.creator, mine.project, mine.key)
        assert (task.status, task.category.value) == (mine.status, mine.category)
        assert (task.completed_at is not None) is (mine.status == "done")
        assert (task.deleted_at is not None) is (mine.trash is not None)
        assert task.parent_id == mine.parent
        assert {subtask.id: subtask.closed for subtask in task.subtasks} == self.children(task_id)
        assert len(task.links) == len(mine.links)
        for link in task.links:
            assert (link.type.value, link.task_id) in mine.links
            assert link.closed is (link.type.value == "blocked_by" and self._away(link.task_id))

    def board(self, project_id: str, status: str) -> int:
        """How many tasks of a project have a status."""
        return sum(
            (task.project, task.status, task.trash) == (project_id, status, None) for task in self.tasks.values()
        )

    def check_rules(self) -> None:
        """Assert what is never broken, whatever was done."""
        for task_id, task in self.tasks.items():
            assert not self._comes_back(task_id), f"a cycle through {task_id}"
            parent = None if task.parent is None else self.tasks[task.parent]
            if task.trash is None and parent is not None:
                assert parent.trash is None
                assert parent.project == task.project
                assert task.closed or not parent.closed
                assert self._depth(task_id) <= DEEPEST
        for project_id, project in self.projects.items():
            keys = [task.key for task in self.tasks.values() if task.project == project_id]
            assert len(set(keys)) == len(keys) <= project.given

    def _comes_back(self, task_id: str) -> bool:
        return task_id in self._reach(self._after(task_id))

    def _after(self, task_id: str) -> set[str]:
        """What can be closed only after it."""
        task = self.tasks[task_id]
        found = {other for type_, other in task.links if type_ == "blocks"}
        return found | ({task.parent} if task.parent is not None else set())

    def _reach(self, begin: set[str]) -> set[str]:
        found: set[str] = set()
        while begin:
            found |= begin
            begin = {after for task_id in begin for after in self._after(task_id)} - found
        return found

    def _away(self, task_id: str) -> bool:
        return self.tasks[task_id].closed or self.tasks[task_id].trash is not None

    def _waits(self, task_id: str) -> bool:
        return not self._away(task_id)

    def _depth(self, task_id: str) -> int:
        parent = self.tasks[task_id].parent
        return 1 if parent is None else 1 + self._depth(parent)

    def _height(self, task_id: str) -> int:
        return 1 + max((self._height(child) for child in self.children(task_id)), default=0)

    # Who may.

    def _may_read(self, task: ModelTask, actor: str) -> bool:
        if ROLES[actor] in ("admin", "auditor"):
            return True
        return task.creator == actor if task.project is None else actor in self.projects[task.project].members

    def _may_write(self, task: ModelTask, actor: str) -> bool:
        if ROLES[actor] != "member":
            return ROLES[actor] == "admin"
        if task.project is None:
            return task.creator == actor
        return self.projects[task.project].members.get(actor) in ("editor", "lead")

    def _task(self, task_id: str, actor: str, *, read: bool = False, trashed: bool = False) -> ModelTask:
        task = self.tasks.get(task_id)
        if task is None or (task.trash and not trashed) or not self._may_read(task, actor):
            raise Refused("task.not_found")
        if not read and not self._may_write(task, actor):
            raise Refused("auth.forbidden")
        if task.project is not None and self.projects[task.project].archived:
            raise Refused("project.is_archived")
        return task

    def _all_writable(self, task_ids: list[str], actor: str) -> None:
        if not all(self._may_write(self.tasks[task_id], actor) for task_id in task_ids):
            raise Refused("subtask.forbidden")

    def _enterable(self, project_id: str, actor: str) -> ModelProject:
        project = self.projects.get(project_id)
        role = None if project is None else project.members.get(actor)
        if project is None or (ROLES[actor] == "member" and role is None):
            raise Refused("project.not_found")
        if ROLES[actor] == "auditor" or (ROLES[actor] == "member" and role == "viewer"):
            raise Refused("auth.forbidden")
        if project.archived:
            raise Refused("project.is_archived")
        return project

    def _parent(self, parent_id: str, actor: str) -> ModelTask:
        try:
            parent = self._task(parent_id, actor)
        except Refused as refused:
            raise Refused("parent.not_found" if str(refused) == "task.not_found" else str(refused)) from refused
        if parent.closed:
            raise Refused("task.parent_closed")
        return parent

    # What is done.

    def _create(self, command: CreateTask, actor: str) -> None:
        if ROLES[actor] == "auditor":
            raise Refused("auth.forbidden")
        project_id = command.project_id
        if command.parent_id is not None:
            parent = self._parent(command.parent_id, actor)
            if project_id not in (None, parent.project):
                raise Refused("parent.other_project")
            if self._depth(command.parent_id) >= DEEPEST:
                raise Refused("task.too_deep")
            project_id = parent.project
        task = ModelTask(actor, parent=command.parent_id)
        if project_id is not None:
            self._enterable(project_id, actor)
            self._enter(task, project_id)
        self.tasks[command.task_id] = task

    def _enter(self, task: ModelTask, project_id: str | None) -> None:
        task.project, task.key = project_id, None
        if project_id is not None:
            self.projects[project_id].given += 1
            task.key = f"{KEYS[project_id]}-{self.projects[project_id].given}"

    def _edit(self, command: EditTask, actor: str) -> None:
        task = self._task(command.task_id, actor)
        project_given, parent_given = _given(command.project_id), _given(command.parent_id)
        wanted = command.project_id if project_given else task.project
        assert wanted is None or isinstance(wanted, str)
        parent_id = command.parent_id if parent_given else task.parent
        assert parent_id is None or isinstance(parent_id, str)
        if parent_id == task.parent and parent_id is not None:
            if wanted == task.project or (wanted is None and parent_given):
                return
            raise Refused("task.not_a_root")
        if parent_id != task.parent and parent_id is not None:
            wanted = self._check_below(command, actor, parent_id, wanted if project_given else None)
        if wanted != task.project:
            self._all_writable(self.below(command.task_id), actor)
            if wanted is not None:
                self._enterable(wanted, actor)
            for task_id in self._in_order(command.task_id):
                self._enter(self.tasks[task_id], wanted)
        task.parent = parent_id

    def _check_below(self, command: EditTask, actor: str, parent_id: str, wanted: str | None) -> str | None:
        """The project that it comes into."""
        parent = self._parent(parent_id, actor)
        if wanted not in (None, parent.project):
            raise Refused("parent.other_project")
        if command.task_id in self._reach({parent_id}):
            raise Refused("task.cycle")
        if self._depth(parent_id) + self._height(command.task_id) > DEEPEST:
            raise Refused("task.too_deep")
        return parent.project

    def _in_order(self, task_id: str) -> list[str]:
        """A tree, level by level; in which order of the tasks of a level is the program's own affair."""
        found, level = [], [task_id]
        while level:
            found += level
            level = [child for each in level for child in self.children(each)]
        return found

    def _move(self, command: MoveTask, actor: str) -> None:
        if command.override and not (command.reason or "").strip():
            raise Refused("override.no_reason")
        task = self._task(command.task_id, actor)
        if command.move not in STANDARD[task.status]:
            raise Refused("task.illegal_move")
        to = STANDARD[task.status][command.move]
        parent = None if task.parent is None else self.tasks[task.parent]
        if CATEGORIES[to] == "open" and task.closed and parent is not None and parent.closed:
            raise Refused("task.parent_closed")
        closing = [command.task_id]
        if CATEGORIES[to] in ("done", "cancelled"):
            closing += self._open_below(command, actor)
        if CATEGORIES[to] in ("active", "done"):
            for task_id in closing:
                self._check_blockers(task_id, command, set(closing) if CATEGORIES[to] == "done" else set())
        for task_id in closing:
            self.tasks[task_id].status = to

    def _open_below(self, command: MoveTask, actor: str) -> list[str]:
        found = [task_id for task_id in self.below(command.task_id) if not self.tasks[task_id].closed]
        if found and not command.close_subtasks:
            raise Refused("task.open_subtasks")
        self._all_writable(found, actor)
        return found

    def _check_blockers(self, task_id: str, command: MoveTask, closing: set[str]) -> None:
        blockers = self.blockers(task_id) - closing
        project = self.tasks[task_id].project
        hard = project is None or self.projects[project].blocking == "hard"
        if blockers and hard and not command.override:
            raise Refused("task.blocked")
        self.despite[task_id] = blockers

    def _delete(self, command: DeleteTask, actor: str) -> None:
        self._task(command.task_id, actor)
        below = self.below(command.task_id)
        if below and not command.subtasks:
            raise Refused("task.has_subtasks")
        self._all_writable(below, actor)
        for task_id in (command.task_id, *below):
            self.tasks[task_id].trash = command.task_id

    def _restore(self, command: RestoreTask, actor: str) -> None:
        task = self._task(command.task_id, actor, trashed=True)
        if task.trash is None:
            return
        together = [command.task_id, *self.below(command.task_id)]
        self._all_writable(together, actor)
        parent = None if task.parent is None else self.tasks[task.parent]
        if parent is not None and task.parent is not None:
            if parent.trash is not None:
                raise Refused("task.parent_trashed")
            if parent.project != task.project:
                task.parent = None
            elif parent.closed and not task.closed:
                raise Refused("task.parent_closed")
            elif self._depth(task.parent) + self._height(command.task_id) > DEEPEST:
                raise Refused("task.too_deep")
        for task_id in together:
            self.tasks[task_id].trash = None

    def _link(self, command: LinkTasks, actor: str) -> None:
        task, type_ = self._task(command.task_id, actor), command.type.value
        if command.other_id == command.task_id:
            raise Refused("dependency.itself")
        try:
            other = self._task(command.other_id, actor, read=True)
        except Refused as refused:
            raise Refused(str(refused).replace("task.not_found", "dependency.task_not_found")) from refused
        if (type_, command.other_id) in task.links:
            return
        ends = (command.task_id, command.other_id)
        before, after = ends if type_ == "blocks" else ends[::-1]
        if type_ in ("blocks", "blocked_by") and before in self._reach({after}):
            raise Refused("task.cycle")
        task.links.add((type_, command.other_id))
        other.links.add((INVERSES[type_], command.task_id))

    def _unlink(self, command: UnlinkTasks, actor: str) -> None:
        task, type_ = self._task(command.task_id, actor), command.type.value
        if (type_, command.other_id) not in task.links:
            raise Refused("dependency.not_found")
        task.links.remove((type_, command.other_id))
        self.tasks[command.other_id].links.remove((INVERSES[type_], command.task_id))

    def _change_project(
        self,
        command: EditProject | ArchiveProject | RestoreProject | AddProjectMember | RemoveProjectMember,
        actor: str,
    ) -> None:
        """Only an admin does it in these histories, and only what is allowed."""
        assert ROLES[actor] == "admin"
        project = self.projects[command.project_id]
        match command:
            case EditProject(blocking=blocking):
                if project.archived:
                    raise Refused("project.is_archived")
                project.blocking = str(blocking)
            case ArchiveProject():
                project.archived = True
            case RestoreProject():
                project.archived = False
            case AddProjectMember(user_id=user_id, role=role):
                project.members[user_id] = role.value
            case RemoveProjectMember(user_id=user_id):
                if user_id not in project.members:
                    raise Refused("project.member_not_found")
                del project.members[user_id]


def _given(value: object) -> bool:
    return type(value).__name__ != "UnsetType"
