"""What the model of the state machine knows of tasks that belong to projects and to each other, and who may do what.

It keeps what people did, and works out from that alone what each task shows: whether a blocker stands in the way is
asked of the blocker, and never stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.task import Task
from tests.domain.given import ADA, BOB, EVE, PROJECT, VENTURE, ZOE

# Of a task outside all projects, and of a project that chooses no other.
STANDARD: Mapping[str, Mapping[str, str]] = {
    "todo": {"start": "in_progress", "complete": "done", "cancel": "cancelled"},
    "in_progress": {"pause": "todo", "complete": "done", "cancel": "cancelled"},
    "done": {"reopen": "todo"},
    "cancelled": {"reopen": "todo"},
}
# The other workflow that a project may live by. At most so many tasks of a project come to have a status of LIMITS.
REVIEWED: Mapping[str, Mapping[str, str]] = {
    "todo": {"start": "doing", "cancel": "dropped"},
    "doing": {"submit": "review", "finish": "done", "cancel": "dropped"},
    "review": {"reject": "doing", "complete": "done", "cancel": "dropped"},
    "done": {"reopen": "todo"},
    "dropped": {"reopen": "todo"},
}
LIMITS: Mapping[str, int] = {"doing": 1}
FOR_LEADS = "complete"  # in that one
FOR_A_REASON = "reject"
CATEGORIES: Mapping[str, str] = {
    "todo": "open",
    "in_progress": "active",
    "done": "done",
    "cancelled": "cancelled",
    "doing": "active",
    "review": "active",
    "dropped": "cancelled",
}
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


class Refused(Exception):  # noqa: N818
    """The model says no, with this code."""


@dataclass
class ModelProject:
    """A project: who is what in it, how strict it is, which workflow it lives by, how many keys it has given."""

    members: dict[str, str]
    blocking: str = "hard"
    archived: bool = False
    reviewed: bool = False
    given: int = 0


@dataclass
class ModelTask:
    """A task. `trash` names the task with which it went to the trash, `joined` counts when it came to its parent."""

    creator: str
    project: str | None = None
    parent: str | None = None
    key: str | None = None
    status: str = "todo"
    trash: str | None = None
    joined: int = 0
    links: set[tuple[str, str]] = field(default_factory=set)

    @property
    def category(self) -> str:
        return CATEGORIES[self.status]

    @property
    def closed(self) -> bool:
        return self.category in ("done", "cancelled")


@dataclass
class Family:
    """A workspace. `freed` and `despite` say of the last command whom it freed, and what moved in spite of whom."""

    tasks: dict[str, ModelTask] = field(default_factory=dict)
    projects: dict[str, ModelProject] = field(
        default_factory=lambda: {
            PROJECT: ModelProject({BOB: "editor", EVE: "viewer"}),
            VENTURE: ModelProject({BOB: "lead", EVE: "editor"}, blocking="soft", reviewed=True),
        }
    )
    joins: int = 0
    freed: set[str] = field(default_factory=set)
    despite: dict[str, set[str]] = field(default_factory=dict)

    def children(self, task_id: str) -> dict[str, bool]:
        """Its parts, and whether they are closed. Those of a task in the trash are those that went there with it."""
        trash = self.tasks[task_id].trash
        found = [
            (other.joined, other_id, other.closed)
            for other_id, other in self.tasks.items()
            if other.parent == task_id and other.trash == trash
        ]
        return {other_id: closed for _, other_id, closed in sorted(found)}

    def _join(self, task: ModelTask) -> None:
        """It comes to its parent after all others."""
        self.joins += 1
        task.joined = self.joins

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

    def moves(self, task: ModelTask) -> Mapping[str, str]:
        """Where its moves lead. In the trash it may have a status that the workflow has lost since."""
        return self._table(task.project).get(task.status, {})

    def _table(self, project_id: str | None) -> Mapping[str, Mapping[str, str]]:
        return REVIEWED if project_id is not None and self.projects[project_id].reviewed else STANDARD

    def home(self, status: str, project_id: str | None) -> str:
        """The status that it has there: the same one, or the first of its category."""
        table = self._table(project_id)
        alike = (other for other in table if CATEGORIES[other] == CATEGORIES[status])
        return status if status in table else next(alike)

    def arrive(self, project_id: str | None, status: str, more: int = 0) -> None:
        """Raises where there is no room for one more, besides `more` that the command has brought there."""
        if project_id is not None and status in LIMITS and self.board(project_id, status) + more >= LIMITS[status]:
            raise Refused("workflow.limit_reached")

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
