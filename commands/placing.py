"""What a task's coming, going and changing status mean for its project: the next number, and the boards."""

from commands.appending import Fact
from commands.deciding import Context, check_goes_on
from domain.board import Board, BoardTaskArrived, BoardTaskLeft
from domain.errors import Conflict, Invalid, NotFound
from domain.numbering import NumberGiven, Numbering
from domain.policy import Action, may
from domain.project import Project, board_id, numbering_id
from domain.task import Task
from domain.user import User


def chosen_project(context: Context, project_id: str) -> Project:
    """A project into which the actor may put tasks.

    Raises `Invalid` where the actor sees no such one, `Forbidden`, `Conflict` where it is archived.
    """
    try:
        project = context.project(project_id, Action.TASK_PLACE)
    except NotFound as error:
        detail = "must be the id of a project that you are in"
        raise Invalid("project.not_found", "/project_id", detail, project_id) from error
    check_goes_on(project)
    return project


def numbered(context: Context, project: Project, task_id: str, nth: int = 0) -> tuple[str, Fact]:
    """The key of a task that comes into a project, and the fact that it has the number; the `nth` of one command."""
    stream_id = numbering_id(project.id)
    numbering = context.read(stream_id, Numbering)
    number = 1 + nth + (0 if numbering is None else numbering.version)
    return f"{project.key}-{number}", Fact(stream_id, NumberGiven(task_id=task_id))


def count(context: Context, project: Project, status: str) -> int:
    """How many tasks of a project have a status, with what the decision itself has changed so far."""
    stream_id = board_id(project.id, status)
    board = context.read(stream_id, Board)
    return (0 if board is None else board.count) + context.arrived.get(stream_id, 0)


def check_room(context: Context, project: Project, status: str) -> None:
    """Raises `Conflict` `workflow.limit_reached` where the status has a limit, and as many tasks have it."""
    limit = context.workflow_of(project).limits.get(status)
    if limit is not None and (tasks := count(context, project, status)) >= limit:
        detail = f"{tasks} tasks of the project {project.key} are {status!r}, and {limit} may be"
        raise Conflict("workflow.limit_reached", detail, to=status, limit=limit, count=tasks)


def arrival(context: Context, project: Project, task_id: str, status: str) -> Fact:
    """A task of the project has this status from now on. Raises `Conflict` `workflow.limit_reached`."""
    check_room(context, project, status)
    return arrived(context, project, task_id, status)


def arrived(context: Context, project: Project, task_id: str, status: str) -> Fact:
    """The same, whatever the limit: nobody chose that this task comes there."""
    return Fact(_changed(context, project, status, 1), BoardTaskArrived(task_id=task_id))


def departure(context: Context, project: Project, task: Task) -> Fact:
    """A task leaves its status, or the project, or goes into the trash."""
    return Fact(_changed(context, project, task.status, -1), BoardTaskLeft(task_id=task.id))


def _changed(context: Context, project: Project, status: str, by: int) -> str:
    """The board, which was read, and will hold so many more."""
    stream_id = board_id(project.id, status)
    context.read(stream_id, Board)
    context.arrived[stream_id] = context.arrived.get(stream_id, 0) + by
    return stream_id


def check_in(project: Project, user: User, field: str) -> None:
    """Raises `Conflict` `assignee.not_in_project` where somebody would not see the task that is theirs."""
    if user.id not in project.members and not may(user.role, Action.TASK_READ):
        detail = f"the assignee is not in the project {project.key}, and would not see the task"
        raise Conflict("assignee.not_in_project", detail, field=field)
