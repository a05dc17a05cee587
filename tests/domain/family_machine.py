"""The rules of a Hypothesis state machine over tasks, projects, subtasks and dependencies, by people of several roles.

What performs the commands is for the subclass to say: a log in memory, or the whole write side on PostgreSQL.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from commands.dependencies import LinkTasks, UnlinkTasks
from commands.project import AddProjectMember, ArchiveProject, EditProject, RemoveProjectMember, RestoreProject
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.workflow import ChooseWorkflow
from domain.errors import Conflict, Rejection
from domain.events import Event
from domain.project import Blocking, ProjectRole
from domain.task import TaskMoved
from domain.task_links import LinkType, TaskBlockerClosed
from domain.workflow import Category, Move, Mover, Required, Status, Workflow
from tests.domain.family import CATEGORIES, DEEPEST, FOR_A_REASON, FOR_LEADS, LIMITS, REVIEWED
from tests.domain.family_model import Model, Modelled
from tests.domain.given import ADA, BOB, EVE, FLOW, NOBODY, PROJECT, VENTURE, ZOE

PEOPLE = st.sampled_from([ADA, ADA, ADA, BOB, BOB, EVE, ZOE])
PROJECTS = st.sampled_from([PROJECT, VENTURE])
PLACES = st.sampled_from([None, None, PROJECT, VENTURE])
TYPES = st.sampled_from([LinkType.BLOCKS, LinkType.BLOCKED_BY, LinkType.BLOCKS, LinkType.RELATES, LinkType.DUPLICATES])
CHOICE = st.integers(0, 1_000)
ODDS = st.integers(0, 7)  # 0: the rare case


MOVES = ("start", "pause", "complete", "cancel", "reopen", "submit", "reject", "finish", "fly")
MAPPING = {"in_progress": "doing", "cancelled": "dropped"}
MAPPING_BACK = {"doing": "in_progress", "review": "in_progress", "dropped": "cancelled"}
FLOW_OF_REVIEWS = Workflow(
    statuses=tuple(Status(name, Category(CATEGORIES[name]), LIMITS.get(name)) for name in REVIEWED),
    initial="todo",
    moves=(
        Move("start", ("todo",), "doing"),
        Move("submit", ("doing",), "review"),
        Move("finish", ("doing",), "done"),
        Move("cancel", ("todo", "doing", "review"), "dropped"),
        Move(FOR_A_REASON, ("review",), "doing", requires=(Required.REASON,)),
        Move(FOR_LEADS, ("review",), "done", who=(Mover.LEAD,)),
        Move("reopen", ("done", "dropped"), "todo"),
    ),
)


def scaled(factor: float) -> settings:
    """A share of the examples that the profile of the run says, or a multiple of them."""
    most = max(1, round(settings().max_examples * factor))
    return settings(settings.default, max_examples=most, stateful_step_count=40)


class FamilyMachine(RuleBasedStateMachine):
    """Each command is refused exactly when the model says so, and otherwise leads to what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    def perform(self, command: Modelled, actor: str) -> Sequence[tuple[str, Event]]:
        """Do it. Answers what happened, with the streams; raises `Rejection`."""
        raise NotImplementedError

    def look(self) -> None:
        """Compare all that there is with the model."""
        raise NotImplementedError

    def _any(self, choice: int) -> str:
        """A task, most often one that is not in the trash; now and then one that is not there at all."""
        live = [task_id for task_id, task in self.model.tasks.items() if not task.trash]
        ids = live if live and choice % 8 else [*self.model.tasks, NOBODY]
        return ids[choice // 8 % len(ids)]

    def _deepest(self, room: int = 0, tree: str | None = None) -> str:
        """The deepest task, not of a tree, that has so many levels to spare; the last one of them."""
        left = self.model.tasks.keys() - ({tree, *self.model.below(tree)} if tree else ())
        depths = {task_id: self.model._depth(task_id) for task_id in left or self.model.tasks}
        fitting = {task_id: depth for task_id, depth in depths.items() if depth + room <= DEEPEST} or depths
        return max(fitting, key=lambda task_id: (depths[task_id], task_id))

    def _trash(self) -> list[str]:
        return [task_id for task_id, task in self.model.tasks.items() if task.trash]

    @initialize(shape=st.lists(st.tuples(st.integers(0, 4), PLACES), min_size=3, max_size=8))
    def begin(self, shape: list[tuple[int, str | None]]) -> None:
        """Some trees, so that short histories too have something to break."""
        for above, place in shape:
            ids = list(self.model.tasks)
            parent_id = ids[above] if above < len(ids) else None
            self._create(ADA if above % 2 else BOB, None if parent_id else place, parent_id)

    def _create(self, actor: str, project_id: str | None, parent_id: str | None) -> None:
        task_id = f"00000000-0000-7000-8001-{len(self.model.tasks) + 1:012x}"
        self._agree(CreateTask(task_id, "write", project_id=project_id, parent_id=parent_id), actor)

    @rule(actor=PEOPLE, place=PLACES, choice=CHOICE, below=st.booleans())
    def create(self, actor: str, place: str | None, choice: int, below: bool) -> None:
        self._create(actor, place, self._any(choice) if below else None)

    @rule(actor=st.sampled_from([ADA, BOB]), choice=CHOICE)
    def create_deeper(self, actor: str, choice: int) -> None:
        """Below the deepest one, so that trees come to their bound."""
        self._create(actor, None, self._deepest())

    @rule(actor=PEOPLE, choice=CHOICE, fields=st.fixed_dictionaries({}, optional={"project_id": PLACES}), above=CHOICE)
    def put(self, actor: str, choice: int, fields: dict[str, Any], above: int) -> None:
        """Into another project, below another task, or both."""
        kinds = (None, self._any(above // 4), self._deepest(above % 3))
        if above % 4 < len(kinds):
            fields = {**fields, "parent_id": kinds[above % 4]}
        self._agree(EditTask(self._any(choice), **fields), actor)

    @rule(actor=PEOPLE, choice=CHOICE, move=CHOICE, close=st.booleans(), odds=ODDS)
    def move(self, actor: str, choice: int, move: int, close: bool, odds: int) -> None:
        task_id = self._any(choice)
        task = self.model.tasks.get(task_id)
        moves = sorted(self.model.moves(task) if task and odds else MOVES) or MOVES
        reason = (None, "because", " ")[odds % 3]
        self._agree(MoveTask(task_id, moves[move % len(moves)], reason, close, odds % 4 == 1), actor)

    @rule(actor=PEOPLE, choice=CHOICE, subtasks=st.booleans(), back=st.booleans(), put=st.none() | CHOICE)
    def delete(self, actor: str, choice: int, subtasks: bool, back: bool, put: int | None) -> None:
        """And perhaps put the parent elsewhere, or close it, and bring the task back."""
        task_id = self._any(choice)
        parent_id = self.model.tasks[task_id].parent if task_id in self.model.tasks else None
        self._agree(DeleteTask(task_id, None, subtasks), actor)
        if put is not None and parent_id is not None and put % 3 == 0:
            self._agree(MoveTask(parent_id, "complete", None, True), ADA)
        elif put is not None and parent_id is not None:
            where = self._deepest(self.model._height(parent_id), parent_id) if put % 2 else self._any(put)
            self._agree(EditTask(parent_id, parent_id=where), ADA)
        if back:
            self._agree(RestoreTask(task_id), actor)

    @precondition(lambda self: bool(self._trash()))
    @rule(actor=PEOPLE, choice=CHOICE)
    def restore(self, actor: str, choice: int) -> None:
        gone = self._trash()
        self._agree(RestoreTask(gone[choice % len(gone)]), actor)

    @rule(actor=PEOPLE, choice=CHOICE, other=CHOICE, type_=TYPES, move=st.sampled_from(["start", "complete", ""]))
    def link(self, actor: str, choice: int, other: int, type_: LinkType, move: str) -> None:
        """And perhaps try at once what the link may forbid."""
        task_id, other_id = self._any(choice), self._any(other)
        self._agree(LinkTasks(task_id, type_, other_id), actor)
        if move:
            self._agree(MoveTask(other_id if type_ is LinkType.BLOCKS else task_id, move), ADA)

    @rule(actor=PEOPLE, choice=CHOICE, which=CHOICE)
    def unlink(self, actor: str, choice: int, which: int) -> None:
        linked = [task_id for task_id, task in self.model.tasks.items() if task.links]
        if not linked or not which % 8:
            return self._agree(UnlinkTasks(self._any(choice), LinkType.BLOCKS, self._any(which)), actor)
        task_id = linked[choice % len(linked)]
        links = sorted(self.model.tasks[task_id].links)
        type_, other_id = links[which % len(links)]
        return self._agree(UnlinkTasks(task_id, LinkType(type_), other_id), actor)

    @rule(project_id=PROJECTS, user_id=st.sampled_from([BOB, EVE]), role=st.sampled_from(ProjectRole), kind=CHOICE)
    def change_project(self, project_id: str, user_id: str, role: ProjectRole, kind: int) -> None:
        """Its strictness, its workflow, its members, and, not for long, whether it goes on at all."""
        reviewed = self.model.projects[project_id].reviewed
        commands: tuple[Modelled, ...] = (
            EditProject(project_id, blocking=Blocking.SOFT),
            EditProject(project_id, blocking=Blocking.HARD),
            AddProjectMember(project_id, user_id, role),
            RemoveProjectMember(project_id, user_id),
            ArchiveProject(project_id),
            ChooseWorkflow(project_id, FLOW, {} if reviewed else MAPPING),
            ChooseWorkflow(project_id, None, MAPPING_BACK if reviewed else {}),
            *(RestoreProject(each) for each in (PROJECT, VENTURE)),
        )
        self._agree(commands[kind % len(commands)], ADA)

    def _agree(self, command: Modelled, actor: str) -> None:
        """Do it here and in the model."""
        expected, code, facts = self.model.expect(command, actor), None, []
        try:
            facts = list(self.perform(command, actor))
        except Rejection as rejection:
            code = rejection.code
            self._check_path(rejection)
        assert code == expected, f"{command} by {actor}"
        self.model.check_rules()
        if code is None:
            told = {stream for stream, event in facts if isinstance(event, TaskBlockerClosed) and event.freed}
            assert told == self.model.freed
            for stream_id, event in facts:
                if isinstance(event, TaskMoved):
                    assert set(event.despite) == self.model.despite.get(stream_id, set())
        self.look()

    def _check_path(self, rejection: Rejection) -> None:
        """The path of a cycle is one: each step but the new one is there, and it ends where it began."""
        if not isinstance(rejection, Conflict) or rejection.code != "task.cycle":
            return
        path = rejection.extra["path"]
        assert path[0] == path[-1]
        missing = [pair for pair in pairwise(path) if pair[1] not in self.model._after(pair[0])]
        assert missing == [(path[0], path[1])]
