"""What holds of the tasks of projects, their boards and their workflows, after every command."""

from collections.abc import Mapping
from typing import NamedTuple

from domain.board import Board
from domain.custom_workflow import CustomWorkflow
from domain.project import Project, board_id
from domain.streams import State
from domain.task import Task
from domain.workflow import STANDARD


class Standing(NamedTuple):
    """A status of a project, with how many tasks have it, and how many may come to."""

    board_id: str
    tasks: int
    limit: int | None


def check_boards(known: Mapping[str, State]) -> list[Standing]:
    """Each task of a project has a status of the workflow in force, and is on the board of it and on no other."""
    tasks = [state for state in known.values() if isinstance(state, Task) and not state.deleted_at]
    found = []
    for project in [state for state in known.values() if isinstance(state, Project)]:
        own = known.get(project.workflow_id or "")
        workflow = own.definition if isinstance(own, CustomWorkflow) else STANDARD
        mine = [task for task in tasks if task.project_id == project.id]
        assert {task.status for task in mine} <= workflow.categories.keys()
        assert all(task.category is workflow.categories[task.status] for task in mine)
        for status in workflow.categories:
            board = known.get(board_id(project.id, status))
            on_it = list(board.tasks) if isinstance(board, Board) else []
            assert sorted(on_it) == sorted(task.id for task in mine if task.status == status)
            assert len(on_it) == (board.count if isinstance(board, Board) else 0)
            found.append(Standing(board_id(project.id, status), len(on_it), workflow.limits.get(status)))
    return found
