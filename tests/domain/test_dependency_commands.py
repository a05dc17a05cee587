"""Dependencies: what links, blockers and those who are freed yield, and what each decision is guarded by."""

import pytest

from commands.appending import Fact
from commands.dependencies import LinkTasks, UnlinkTasks
from commands.options import options
from commands.project import ArchiveProject
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain.project import ProjectRole
from domain.task import TaskCancelled, TaskCompleted, TaskDeleted, TaskRestored, TaskStarted
from domain.task_links import (
    LINKS_MAX,
    Link,
    LinkType,
    TaskBlockerClosed,
    TaskBlockerReopened,
    TaskLinked,
    TaskUnlinked,
)
from domain.user import Role
from domain.workflow import Category
from tests.domain.given import ADA, BOB, EVE, NOBODY, OTHER, PROJECT, TASK, Given, rejected
from tests.domain.test_subtask_commands import DONE, id_of

BLOCKS, BLOCKED_BY, RELATES = LinkType.BLOCKS, LinkType.BLOCKED_BY, LinkType.RELATES


@pytest.fixture
def given() -> Given:
    """Ada is the admin. TASK blocks OTHER."""
    given = Given().member(ADA, Role.ADMIN).member(BOB).member(EVE).does(CreateTask(TASK, "first"))
    return given.does(CreateTask(OTHER, "second")).does(LinkTasks(TASK, BLOCKS, OTHER))


def test_a_link_stands_in_both_streams_and_says_whether_it_holds(given: Given) -> None:
    given.does(CreateTask(id_of(1), "third")).does(MoveTask(id_of(1), "complete"))
    assert given.facts(LinkTasks(OTHER, BLOCKED_BY, id_of(1), "first things first"), ADA) == [
        Fact(OTHER, TaskLinked(type=BLOCKED_BY, task_id=id_of(1), closed=True, reason="first things first")),
        Fact(id_of(1), TaskLinked(type=BLOCKS, task_id=OTHER, reason="first things first")),
    ]
    assert given.when(LinkTasks(TASK, BLOCKS, OTHER)) == [], "twice is once"
    assert given.when(LinkTasks(OTHER, BLOCKED_BY, TASK)) == [], "from either side"
    assert given.the_task(OTHER).links == (Link(BLOCKED_BY, TASK, closed=False),)


def test_a_link_is_removed_wherever_the_other_task_is(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.LEAD}).does(EditTask(OTHER, project_id=PROJECT))
    given.does(ArchiveProject(PROJECT))
    with rejected("project.is_archived"):
        given.when(UnlinkTasks(OTHER, BLOCKED_BY, TASK))
    assert given.facts(UnlinkTasks(TASK, BLOCKS, OTHER), ADA) == [
        Fact(TASK, TaskUnlinked(type=BLOCKS, task_id=OTHER)),
        Fact(OTHER, TaskUnlinked(type=BLOCKED_BY, task_id=TASK)),
    ]
    with rejected("dependency.not_found"):
        given.when(UnlinkTasks(TASK, RELATES, OTHER))


def test_only_what_one_sees_is_linked(given: Given) -> None:
    given.does(CreateTask(id_of(1), "his"), by=BOB)
    for other_id in (TASK, NOBODY):
        with rejected("dependency.task_not_found"):
            given.when(LinkTasks(id_of(1), BLOCKS, other_id), by=BOB)
    with rejected("dependency.itself"):
        given.when(LinkTasks(id_of(1), RELATES, id_of(1)), by=BOB)
    given.project(PROJECT, {BOB: ProjectRole.VIEWER}).does(EditTask(TASK, project_id=PROJECT))
    assert len(given.when(LinkTasks(id_of(1), BLOCKED_BY, TASK), by=BOB)) == 2
    with rejected("auth.forbidden"):
        given.when(LinkTasks(TASK, BLOCKS, id_of(1)), by=BOB)


def test_a_cycle_is_refused_with_its_path_and_guarded_by_all_that_was_walked(given: Given) -> None:
    given.does(CreateTask(id_of(1), "parent")).does(EditTask(OTHER, parent_id=id_of(1)))
    given.does(CreateTask(id_of(2), "last"))
    given.when(LinkTasks(id_of(2), BLOCKS, TASK))
    assert given.reads.keys() == {ADA, TASK, OTHER, id_of(1), id_of(2)}
    with rejected("task.cycle") as refusal:
        given.when(LinkTasks(id_of(1), BLOCKS, TASK))
    assert refusal.value.extra["path"] == [id_of(1), TASK, OTHER, id_of(1)]
    with rejected("task.cycle"):
        given.when(LinkTasks(TASK, BLOCKED_BY, OTHER))
    given.does(DeleteTask(OTHER))
    with rejected("task.cycle"):
        given.when(LinkTasks(id_of(1), BLOCKS, TASK))


def test_a_decision_looks_at_so_many_tasks_and_no_more(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.walking.WALKED_MAX", 2)
    given.does(CreateTask(id_of(1), "third")).does(CreateTask(id_of(2), "fourth"))
    given.does(LinkTasks(OTHER, BLOCKS, id_of(1)))
    with rejected("task.graph_too_large"):
        given.when(LinkTasks(id_of(2), BLOCKS, TASK))


def test_a_task_has_at_most_a_hundred_dependencies(given: Given) -> None:
    for number in range(LINKS_MAX - 1):
        given.happened(TASK, TaskLinked(type=RELATES, task_id=id_of(number)))
    given.does(CreateTask(id_of(500), "more"))
    for ends in ((TASK, id_of(500)), (id_of(500), TASK)):
        with rejected("task.too_many_links") as refusal:
            given.when(LinkTasks(ends[0], RELATES, ends[1]))
        assert refusal.value.extra["task_id"] == TASK


def test_a_blocked_task_is_cancelled_and_is_neither_started_nor_completed(given: Given) -> None:
    for move in ("start", "complete"):
        with rejected("task.blocked") as refusal:
            given.when(MoveTask(OTHER, move))
        assert refusal.value.extra == {"task_id": OTHER, "blocked_by": [TASK]}
        for reason in (None, "", " "):
            with rejected("override.no_reason"):
                given.when(MoveTask(OTHER, move, reason, override=True))
    assert given.when(MoveTask(OTHER, "start", "now", override=True)) == [
        TaskStarted(status="in_progress", category=Category.ACTIVE, reason="now", despite=(TASK,))
    ]
    assert given.when(MoveTask(OTHER, "cancel")) == [TaskCancelled(status="cancelled", category=Category.CANCELLED)]
    assert given.reads.keys() == {ADA, OTHER}, "its own stream says all"
    given.does(MoveTask(OTHER, "start", "now", override=True))
    assert len(given.when(MoveTask(OTHER, "pause"))) == 1


def test_the_list_of_moves_says_what_is_blocked(given: Given) -> None:
    given.does(CreateTask(id_of(1), "part", parent_id=OTHER))
    found = {item.move: (item.why_not or {}).get("code") for item in options(given.context(ADA), OTHER).items}
    assert found == {"start": "task.blocked", "complete": "task.open_subtasks", "cancel": "task.open_subtasks"}


def test_in_a_soft_project_the_move_is_made_and_says_in_spite_of_what(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.LEAD}, blocking="soft").does(EditTask(OTHER, project_id=PROJECT))
    started = given.when(MoveTask(OTHER, "start"))[0]
    assert started == TaskStarted(status="in_progress", category=Category.ACTIVE, despite=(TASK,))


def test_whoever_goes_out_of_the_way_frees_those_who_wait(given: Given) -> None:
    given.does(CreateTask(id_of(1), "another")).does(LinkTasks(id_of(1), BLOCKS, OTHER))
    assert given.facts(MoveTask(TASK, "complete"), ADA) == [
        Fact(OTHER, TaskBlockerClosed(task_id=TASK, freed=False)),
        Fact(TASK, TaskCompleted(**DONE)),
    ]
    given.does(MoveTask(TASK, "complete"))
    assert given.when(DeleteTask(id_of(1))) == [TaskDeleted(), TaskBlockerClosed(task_id=id_of(1), freed=True)]
    assert given.when(DeleteTask(TASK)) == [TaskDeleted()], "nobody waited any more"
    assert given.when(MoveTask(TASK, "reopen"))[0] == TaskBlockerReopened(task_id=TASK)
    given.does(DeleteTask(id_of(1)))
    assert given.the_task(OTHER).open_blockers == []
    assert given.when(RestoreTask(id_of(1))) == [TaskRestored(), TaskBlockerReopened(task_id=id_of(1))]


def test_what_is_closed_or_gone_is_told_and_is_not_freed(given: Given) -> None:
    given.does(MoveTask(OTHER, "cancel"))
    assert given.when(MoveTask(TASK, "cancel"))[0] == TaskBlockerClosed(task_id=TASK, freed=False)
    given.does(MoveTask(OTHER, "reopen")).does(DeleteTask(OTHER)).does(MoveTask(TASK, "cancel"))
    assert given.the_task(OTHER).open_blockers == []


def test_what_closes_together_blocks_nothing_of_it(given: Given) -> None:
    given.does(CreateTask(id_of(1), "root")).does(CreateTask(id_of(2), "outside"))
    given.does(EditTask(TASK, parent_id=id_of(1))).does(EditTask(OTHER, parent_id=id_of(1)))
    whole = MoveTask(id_of(1), "complete", close_subtasks=True)
    told = [event for event in given.when(whole) if isinstance(event, TaskBlockerClosed)]
    assert told == [TaskBlockerClosed(task_id=TASK, freed=False)], "it is closed, and waits no longer"
    given.does(LinkTasks(id_of(2), BLOCKS, TASK))
    with rejected("task.blocked") as refusal:
        given.when(whole)
    assert refusal.value.extra == {"task_id": TASK, "blocked_by": [id_of(2)]}
    pressing = MoveTask(id_of(1), "complete", "now", close_subtasks=True, override=True)
    despite = {fact.stream_id: fact.event.despite for fact in given.facts(pressing, ADA) if _is_move(fact)}  # type: ignore[attr-defined]
    assert despite == {id_of(1): (), TASK: (id_of(2),), OTHER: ()}


def _is_move(fact: Fact) -> bool:
    return isinstance(fact.event, TaskCompleted)
