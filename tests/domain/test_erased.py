"""A log in which something was erased still folds, whatever it was."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import streams
from domain.events import Erased, Recorded, name_of
from domain.task import (
    ERASED_TITLE,
    Task,
    TaskAssigned,
    TaskCompleted,
    TaskDeleted,
    TaskEdited,
    TaskRestored,
    TaskUnassigned,
    fold,
)
from domain.task_fields import Assignee
from domain.user import Role, User, UserProfileChanged, UserRoleChanged
from domain.workflow import Category
from domain.workspace import AdminAdded, AdminRemoved, Workspace, WorkspaceFounded
from tests.domain.given import ADA, BOB, TASK, WORKSPACE, Given, at
from tests.domain.histories import task_histories


def erase(history: list[Recorded], *versions: int) -> list[Recorded]:
    """The same history after the data of some events were erased."""
    return [
        replace(logged, event=Erased(name=name_of(logged.event))) if logged.version in versions else logged
        for logged in history
    ]


@given(task_histories(), st.sets(st.integers(1, 13)))
def test_a_task_folds_whatever_of_it_was_erased(history: list[Recorded], versions: set[int]) -> None:
    whole, task = fold(history), fold(erase(history, *versions))
    assert whole is not None
    assert task is not None
    assert (task.id, task.version, task.position) == (whole.id, whole.version, whole.position)
    creator = history[0].meta.actor if 1 in versions else whole.created_by
    assert (task.created_by, task.created_at, task.updated_at) == (creator, whole.created_at, whole.updated_at)


def test_an_erased_creation_leaves_a_task_without_its_words() -> None:
    given = Given().task(TASK, TaskAssigned(assignee=Assignee(type="user", id=BOB)))
    task = streams.fold(erase(given.log, 1))
    assert isinstance(task, Task)
    assert (task.title, task.description, task.status) == (ERASED_TITLE, "", "todo")
    assert (task.created_by, task.assignee) == (ADA, Assignee(type="user", id=BOB))


def test_an_erased_edit_leaves_what_stood_before() -> None:
    given = Given().task(TASK, TaskEdited(title="secret"), TaskEdited(tags=("a",)))
    task = fold(erase(given.log, 2))
    assert task is not None
    assert (task.title, task.tags, task.version, task.updated_at) == ("write", ("a",), 3, at(3))


def test_a_user_folds_whatever_was_erased() -> None:
    given = Given().member(BOB, Role.MANAGER)
    given.happened(BOB, UserProfileChanged(fields=("email",)), UserRoleChanged(role=Role.AUDITOR))
    for versions, role in (((1, 2, 3), Role.MEMBER), ((1,), Role.AUDITOR), ((3,), Role.MANAGER)):
        user = streams.fold(erase(given.log, *versions))
        assert isinstance(user, User)
        assert (user.role, user.version, user.position) == (role, 3, 3)


def test_a_workspace_folds_whatever_was_erased() -> None:
    given = Given().happened(
        WORKSPACE, WorkspaceFounded(admin_id=ADA), AdminAdded(user_id=BOB), AdminRemoved(user_id=ADA)
    )
    for versions, admins in (((), {BOB}), ((1, 2, 3), set()), ((2,), set()), ((3,), {ADA, BOB})):
        workspace = streams.fold(erase(given.log, *versions))
        assert isinstance(workspace, Workspace)
        assert workspace.version == 3
        assert sorted(workspace.admins) == sorted(admins)


def test_a_reason_that_is_erased_neither_restores_nor_reopens() -> None:
    completed = TaskCompleted(status="done", category=Category.DONE, reason="ask Eve")
    given = Given().task(TASK, completed, TaskDeleted(reason="Eve said so"))
    whole, task = fold(given.log), fold(erase(given.log, 2, 3))
    assert task == whole
    assert task is not None
    assert (task.status, task.completed_at, task.deleted_at) == ("done", at(2), at(3))


def test_an_erased_restoration_or_unassignment_still_happened() -> None:
    assigned = TaskAssigned(assignee=Assignee(type="user", id=BOB))
    given = Given().task(TASK, assigned, TaskUnassigned(), TaskDeleted(), TaskRestored(reason="why"))
    assert fold(erase(given.log, 3, 5)) == fold(given.log)
