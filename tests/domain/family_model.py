"""A model of tasks that belong to projects and to each other, written from the rules and not from the program.

`expect` answers the code of the refusal, or None and changes the model.
"""

from commands.dependencies import LinkTasks, UnlinkTasks
from commands.project import AddProjectMember, ArchiveProject, EditProject, RemoveProjectMember, RestoreProject
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.workflow import ChooseWorkflow
from tests.domain.family import (
    CATEGORIES,
    DEEPEST,
    FOR_A_REASON,
    FOR_LEADS,
    INVERSES,
    KEYS,
    ROLES,
    Family,
    ModelTask,
    Refused,
)

OfProject = EditProject | ChooseWorkflow | ArchiveProject | RestoreProject | AddProjectMember | RemoveProjectMember
Modelled = CreateTask | EditTask | MoveTask | DeleteTask | RestoreTask | LinkTasks | UnlinkTasks | OfProject


class Model(Family):
    """A workspace that changes."""

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
        self._join(task)
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
            tree = self._in_order(command.task_id)
            self._arrive(tree, wanted)
            for task_id in tree:
                self.tasks[task_id].status = self.home(self.tasks[task_id].status, wanted)
                self._enter(self.tasks[task_id], wanted)
        if parent_id != task.parent:
            task.parent = parent_id
            self._join(task)

    def _arrive(self, task_ids: list[str], project_id: str | None) -> None:
        """All of them come there, one after another."""
        there: list[str] = []
        for task_id in task_ids:
            status = self.home(self.tasks[task_id].status, project_id)
            self.arrive(project_id, status, there.count(status))
            there.append(status)

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
        """A tree, level by level, each task's parts in the order in which they came."""
        found, level = [], [task_id]
        while level:
            found += level
            level = [child for each in level for child in self.children(each)]
        return found

    def _move(self, command: MoveTask, actor: str) -> None:
        if command.override and not (command.reason or "").strip():
            raise Refused("override.no_reason")
        task = self._task(command.task_id, actor)
        if command.move not in self.moves(task):
            raise Refused("task.illegal_move")
        to = self.moves(task)[command.move]
        self._check_mover(task, command.move, command, actor)
        parent = None if task.parent is None else self.tasks[task.parent]
        if CATEGORIES[to] == "open" and task.closed and parent is not None and parent.closed:
            raise Refused("task.parent_closed")
        closing = self._open_below(command, actor) if CATEGORIES[to] in ("done", "cancelled") else []
        new = {task_id: self._close(task_id, to, command, actor, set(closing)) for task_id in closing}
        starts = CATEGORIES[to] in ("active", "done") and CATEGORIES[to] != task.category
        if starts:
            self._check_blockers(command.task_id, command, set(closing))
        if to != task.status:
            self.arrive(task.project, to)
        for task_id, status in (*new.items(), (command.task_id, to)):
            self.tasks[task_id].status = status

    def _close(self, task_id: str, to: str, command: MoveTask, actor: str, closing: set[str]) -> str:
        """Where a subtask goes: by the move of its parent, or by another one to such a status."""
        task = self.tasks[task_id]
        good = {move: end for move, end in self.moves(task).items() if CATEGORIES[end] == CATEGORIES[to]}
        if not good:
            raise Refused("task.illegal_move")
        move = command.move if command.move in good else next(iter(good))
        self._check_mover(task, move, command, actor)
        if CATEGORIES[to] == "done":
            self._check_blockers(task_id, command, closing)
        return good[move]

    def _check_mover(self, task: ModelTask, move: str, command: MoveTask, actor: str) -> None:
        """Whose the move is, and what it needs."""
        if task.project is None or not self.projects[task.project].reviewed:
            return
        if move == FOR_LEADS and ROLES[actor] == "member" and self.projects[task.project].members[actor] != "lead":
            raise Refused("task.move_not_allowed")
        if move == FOR_A_REASON and not (command.reason or "").strip():
            raise Refused("task.move_requires")

    def _open_below(self, command: MoveTask, actor: str) -> list[str]:
        found = [task_id for task_id in self._in_order(command.task_id)[:0:-1] if not self.tasks[task_id].closed]
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
        self._arrive(self._in_order(command.task_id), task.project)
        for task_id in together:
            self.tasks[task_id].trash = None
            self.tasks[task_id].status = self.home(self.tasks[task_id].status, task.project)
        self._join(task)

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

    def _change_project(self, command: OfProject, actor: str) -> None:
        """Only an admin does it in these histories, and only what is allowed."""
        assert ROLES[actor] == "admin"
        project = self.projects[command.project_id]
        if project.archived and isinstance(command, EditProject | ChooseWorkflow):
            raise Refused("project.is_archived")
        match command:
            case EditProject(blocking=blocking):
                project.blocking = str(blocking)
            case ChooseWorkflow(workflow_id=workflow_id):
                self._choose(command.project_id, workflow_id is not None)
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

    def _choose(self, project_id: str, reviewed: bool) -> None:
        """Whatever is not in the trash gets a status of the other workflow, however many come there."""
        self.projects[project_id].reviewed = reviewed
        for task in self.tasks.values():
            if task.project == project_id and task.trash is None:
                task.status = self.home(task.status, project_id)


def _given(value: object) -> bool:
    return type(value).__name__ != "UnsetType"
