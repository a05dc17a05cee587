"""Whatever people do to tasks, projects and workflows: every task has a status of the workflow that is in force."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commands.deciding import Command
from commands.project import ArchiveProject, RestoreProject
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.workflow import ChangeWorkflow, ChooseWorkflow
from domain.custom_workflow import CustomWorkflow
from domain.errors import Rejection
from domain.project import Project, ProjectRole
from domain.streams import State
from domain.task import Task
from domain.user import Role
from domain.workflow import STANDARD, Category, Move, Status, Workflow
from domain.workflow_check import check
from tests.domain.boards import check_boards
from tests.domain.given import ADA, FLOW, PROJECT, STREAM, VENTURE, Given

TASKS = [f"00000000-0000-7000-8000-00000000050{n}" for n in range(5)]
COMMANDS = 60


def table(chance: Random) -> Workflow:
    """A good workflow with little room: a way through all of its statuses, and some moves besides."""
    names = chance.sample([f"s{n}" for n in range(6)], chance.randint(1, 5))
    middle = [Status(name, chance.choice(list(Category)), chance.choice([None, None, 1, 2])) for name in names]
    statuses = (replace(middle[0], category=Category.OPEN), *middle[1:], Status("end", Category.DONE))
    known = [status.name for status in statuses]
    ways = [Move(f"w{n}", (known[n],), known[n + 1]) for n in range(len(known) - 1)]
    more = [Move(f"m{n}", tuple(chance.sample(known, 1)), chance.choice(known)) for n in range(4)]
    return check(Workflow(statuses=statuses, initial=known[0], moves=(*ways, *more)))


class World:
    """Two projects, two workflows, some tasks; and whoever does something to them."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.given = Given().member(ADA, Role.ADMIN)
        self.given.project(PROJECT, {ADA: ProjectRole.LEAD}).project(VENTURE, {ADA: ProjectRole.LEAD}, "VEN")
        self.given.workflow(FLOW, table(chance), PROJECT).workflow(STREAM, table(chance))

    @property
    def known(self) -> dict[str, State]:
        """All states."""
        return {id_: folded.state for id_, folded in self.given.folded.items() if folded.state is not None}

    def closed(self) -> dict[str, bool]:
        """Whether nothing is left to be done of a task."""
        return {state.id: state.category.closed for state in self.known.values() if isinstance(state, Task)}

    def command(self) -> Command:
        """Something that somebody may want."""
        pick = self.chance.choice
        task_id, place = pick(TASKS), pick([PROJECT, PROJECT, VENTURE, None])
        if task_id not in self.given.folded:
            return CreateTask(task_id, "write", project_id=place)
        kind = pick(
            ["move"] * 8 + ["enter", "delete", "restore", "restore", "choose", "choose", "change", "change", "rest"]
        )
        match kind:
            case "move":
                return MoveTask(task_id, pick(self._moves(task_id)))
            case "enter":
                return EditTask(task_id, project_id=place)
            case "delete":
                return DeleteTask(task_id)
            case "restore":
                return RestoreTask(task_id)
            case "choose":
                flow = pick([FLOW, STREAM, None])
                project_id = place or VENTURE
                mapping = self._mapping(self._of(project_id), STANDARD if flow is None else self._definition(flow))
                return ChooseWorkflow(project_id, flow, mapping)
            case "change":
                flow, new = pick([FLOW, STREAM]), table(self.chance)
                return ChangeWorkflow(flow, "changed", new, self._mapping(self._definition(flow), new))
            case _:
                project_id = place or PROJECT
                return ArchiveProject(project_id) if self.chance.random() < 0.3 else RestoreProject(project_id)

    def _moves(self, task_id: str) -> list[str]:
        task = self.given.the_task(task_id)
        workflow = self._of(task.project_id)
        return [*workflow.allowed(task.status), "complete"]

    def _mapping(self, old: Workflow, new: Workflow) -> dict[str, str]:
        """Where all statuses may go that are lost; sometimes one too few."""
        lost = {name: category for name, category in old.categories.items() if not new.keeps(name, category)}
        mapping = {
            name: self.chance.choice([to for to in new.categories if new.keeps(to, category)])
            for name, category in lost.items()
        }
        if mapping and self.chance.random() < 0.2:
            mapping.popitem()
        return mapping

    def _of(self, project_id: str | None) -> Workflow:
        project = self.given.state(project_id or "")
        assert project is None or isinstance(project, Project)
        return STANDARD if project is None or project.workflow_id is None else self._definition(project.workflow_id)

    def _definition(self, workflow_id: str) -> Workflow:
        workflow = self.given.state(workflow_id)
        assert isinstance(workflow, CustomWorkflow)
        return workflow.definition


@given(st.randoms(use_true_random=True))
def test_every_task_has_a_status_of_the_workflow_in_force_and_limits_hold(chance: Random) -> None:
    world = World(chance)
    boards = {board.board_id: board.tasks for board in check_boards(world.known)}
    for _ in range(COMMANDS):
        command, closed = world.command(), world.closed()
        try:
            world.given.does(command)
        except Rejection:
            continue
        standings = check_boards(world.known)
        if not isinstance(command, MoveTask):
            assert closed.items() <= world.closed().items(), "only moves close and reopen"
        if not isinstance(command, ChangeWorkflow | ChooseWorkflow):  # these let in what they map
            for standing in standings:
                before = boards.get(standing.board_id, 0)
                assert standing.limit is None or standing.tasks <= max(standing.limit, before)
        boards = {standing.board_id: standing.tasks for standing in standings}
