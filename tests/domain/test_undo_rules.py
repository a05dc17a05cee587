"""Who may take what back, and what stands in the way."""

from typing import Any

import pytest

from commands.attachment import AddAttachment
from commands.checklist import AddItem, ChangeItem, RemoveItem
from commands.comment import EditComment, PostComment
from commands.deciding import Command
from commands.dependencies import LinkTasks
from commands.inbox import MarkRead
from commands.project import AddProjectMember, ArchiveProject, CreateProject, DeleteProject, RemoveProjectMember
from commands.tagging import ChangeTag, RetagTasks
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.team import AddMember, CreateTeam, RemoveMember
from commands.timesheet import AddEntry
from commands.undo import Undo
from commands.user import ChangeRole, DeactivateUser
from commands.watching import Unwatch, Watch
from commands.workflow import ChangeWorkflow, ChooseWorkflow, CreateWorkflow
from domain.errors import Conflict, Forbidden, NotFound
from domain.events import Erased
from domain.project import ProjectRole
from domain.task import TaskCompleted, TaskEdited, TaskReopened, TaskStatusRestored
from domain.task_links import LinkType
from domain.user import Role, UserProfileChanged
from domain.watching import Watching, Why
from tests.domain.given import (
    ADA,
    BOB,
    EVE,
    FLOW,
    MAX,
    NOBODY,
    OTHER,
    PROJECT,
    TASK,
    TEAM,
    VENTURE,
    WORKSPACE,
    ZOE,
    at,
    person,
    rejected,
)
from tests.domain.reviewed import REVIEWED, without
from tests.domain.test_undo_commands import (
    AWAY,
    DEEP,
    IN,
    PART,
    SECOND,
    STARTED,
    THING,
    THIRD,
    begun,
    family,
    item,
    task,
)
from tests.domain.undoing import command_at, done, world


def test_who_did_it_and_who_oversees_all_take_it_back_and_nobody_else() -> None:
    given = begun().member(NOBODY, Role.AUDITOR)
    undo = done(given.does(CreateTask(TASK, "write", **IN), EVE), EditTask(TASK, title="x"), EVE)
    for other in (BOB, ZOE, NOBODY):
        with rejected("auth.forbidden", Forbidden):
            given.when(undo, other)
    for one in (EVE, ADA, MAX):
        assert given.when(undo, one) == [TaskEdited(title="write")]


def test_what_one_does_not_see_is_not_there() -> None:
    given = begun()
    undo = done(given.does(task(), BOB), EditTask(TASK, title="x"), BOB)
    with rejected("undo.not_found", NotFound):
        given.when(undo, EVE)
    marked = done(given, MarkRead(BOB, (1,)), BOB)
    with rejected("undo.not_found", NotFound):
        given.when(marked, ADA)


def test_an_auditor_who_was_a_member_takes_nothing_back() -> None:
    given = begun()
    undo = done(given.does(task(), BOB), EditTask(TASK, title="x"), BOB)
    given.does(ChangeRole(BOB, Role.AUDITOR))
    with rejected("auth.forbidden", Forbidden):
        given.when(undo, BOB)


def test_an_undo_gives_nobody_a_right() -> None:
    given = begun()
    left_team, left_project = (
        done(given, RemoveMember(TEAM, ZOE), ZOE),
        done(given, RemoveProjectMember(PROJECT, EVE), EVE),
    )
    for undo, by in ((left_team, ZOE), (left_project, EVE)):
        with rejected("undo.not_found" if by == EVE else "auth.forbidden"):
            given.when(undo, by)
    demoted = done(given.does(ChangeRole(MAX, Role.ADMIN)), ChangeRole(MAX, Role.MEMBER), MAX)
    with rejected("auth.forbidden", Forbidden):
        given.when(demoted, MAX)
    promoted = done(given, ChangeRole(BOB, Role.MANAGER))
    given.does(ChangeRole(MAX, Role.MANAGER))
    with rejected("auth.forbidden", Forbidden):
        given.when(promoted, MAX)
    assert given.when(promoted, ADA)


def test_the_last_admin_stays() -> None:
    given = begun()
    undo = done(given, ChangeRole(MAX, Role.ADMIN))
    given.does(ChangeRole(ADA, Role.MEMBER))
    with rejected("user.last_admin"):
        given.when(undo, MAX)


def test_an_edit_is_taken_back_field_by_field_as_long_as_no_field_of_it_changed() -> None:
    given = begun().does(task())
    undo = done(given, EditTask(TASK, title="x", due_at=at(99)))
    given.does(EditTask(TASK, description="of others"))
    assert given.when(undo) == [TaskEdited(title="write", due_at=None)]
    given.does(EditTask(TASK, title="y"))
    with rejected("undo.changed_since", Conflict) as refused:
        given.when(undo)
    assert refused.value.extra["fields"] == ["title"]
    given.does(EditTask(TASK, title="x"))
    assert given.when(undo) == [TaskEdited(title="write", due_at=None)]


def test_tags_that_were_renamed_since_are_the_same_tags() -> None:
    given = begun().does(task(tags=("a",)))
    undo = done(given, EditTask(TASK, tags=("b", "c")))
    given.does(ChangeTag(WORKSPACE, "b", to="bee")).does(RetagTasks(WORKSPACE, (TASK,)))
    assert given.when(undo) == [TaskEdited(tags=("a",))]


def test_a_move_is_taken_back_once_and_not_over_another() -> None:
    given = begun().does(task()).does(STARTED)
    undo = done(given, MoveTask(TASK, "complete"))
    assert [type(event) for event in given.when(undo)] == [TaskStatusRestored]
    given.does(undo)
    with rejected("undo.changed_since"):
        given.when(undo)
    paused = given.does(MoveTask(TASK, "pause"))
    with rejected("undo.changed_since"):
        paused.when(undo)


def test_what_was_done_is_done_since_when_it_was() -> None:
    given = begun().does(task())
    given.happened(TASK, TaskCompleted(status="done", category=given.the_task().category.DONE))
    since = given.the_task().completed_at
    undo = done(given, MoveTask(TASK, "reopen"))
    assert given.the_task().completed_at is None
    given.does(undo)
    assert (given.the_task().completed_at, since is not None) == (since, True)


def test_a_move_that_led_nowhere_is_taken_back_by_nothing() -> None:
    given = begun().does(task(**IN)).does(STARTED)
    assert given.when(done(given, MoveTask(TASK, "remind"))) == []


def test_what_follows_for_a_task_of_an_archived_project_still_does() -> None:
    given = begun().does(task()).does(CreateTask(OTHER, "waits", **IN)).does(LinkTasks(TASK, LinkType.BLOCKS, OTHER))
    undo = done(given, MoveTask(TASK, "complete"))
    given.does(ArchiveProject(PROJECT)).does(undo)
    assert given.the_task(OTHER).open_blockers == [TASK]


def test_rules_of_today_hold() -> None:
    given = begun().does(task()).does(CreateTask(OTHER, "blocks"))
    undo = done(given.does(STARTED), MoveTask(TASK, "pause"))
    given.does(LinkTasks(OTHER, LinkType.BLOCKS, TASK))
    with rejected("task.blocked"):
        given.when(undo)
    other = begun()
    for id_ in (TASK, OTHER):
        other.does(CreateTask(id_, "write", **IN)).does(MoveTask(id_, "start"))
    left = done(other, MoveTask(TASK, "cancel"))
    other.does(CreateTask(PART, "quick", **IN)).does(MoveTask(PART, "start"))
    with rejected("workflow.limit_reached"):
        other.when(left)
    other.does(ArchiveProject(PROJECT))
    with rejected("project.is_archived"):
        other.when(left)


def test_a_move_in_spite_of_blockers_is_done_again_in_spite_of_the_same_ones_alone() -> None:
    given = begun().does(task()).does(CreateTask(OTHER, "blocks")).does(LinkTasks(OTHER, LinkType.BLOCKS, TASK))
    undo = done(given, MoveTask(TASK, "start", "because", override=True))
    redo = done(given, undo)
    again = done(given, redo)
    assert given.the_task().status == "in_progress"
    redo = done(given, again)
    given.does(CreateTask(PART, "came later")).does(LinkTasks(PART, LinkType.BLOCKS, TASK))
    with rejected("task.blocked"):
        given.when(redo)


def test_what_went_to_the_trash_with_its_parent_stays_below_it() -> None:
    given = begun().does(task()).does(CreateTask(PART, "a part", parent_id=TASK)).does(CreateTask(OTHER, "alone"))
    undo = done(given, EditTask(OTHER, parent_id=PART))
    given.does(DeleteTask(PART, subtasks=True))
    with rejected("undo.depends"):
        given.when(undo)
    given.does(RestoreTask(PART)).does(undo)
    assert given.the_task(OTHER).parent_id is None


def test_a_parent_that_was_closed_since_keeps_its_parts_closed() -> None:
    given = begun()
    for command in family():
        given.does(command)
    undo = done(given.does(MoveTask(DEEP, "complete")), MoveTask(PART, "complete"))
    given.does(MoveTask(TASK, "complete"))
    with rejected("task.parent_closed"):
        given.when(undo)
    reopened = done(given, MoveTask(TASK, "reopen"))
    given.does(MoveTask(PART, "reopen"))
    with rejected("task.open_subtasks"):
        given.when(reopened)


@pytest.mark.parametrize(
    ("built", "code"),
    [
        (CreateTask(PART, "part", parent_id=TASK), "undo.changed_since"),
        (LinkTasks(TASK, LinkType.RELATES, OTHER), "undo.changed_since"),
        (EditTask(TASK, title="x"), "undo.changed_since"),
        (AssignTask(TASK, person(EVE)), "undo.changed_since"),
        (AddItem(TASK, THING, "an item"), "undo.depends"),
        (AddEntry(TASK, THING, 60, "2026-11-21"), "undo.depends"),
        (AddAttachment(TASK, THING, "a.txt", 4, "text/plain", "00" * 32), "undo.depends"),
        (DeleteTask(TASK), "undo.changed_since"),
        (PostComment(TASK, THING, "well"), None),
        (Watch(TASK, MAX), None),
    ],
)
def test_what_was_made_goes_to_the_trash_unless_somebody_built_on_it(built: Any, code: str | None) -> None:
    given = begun().does(CreateTask(OTHER, "other"))
    undo = done(given, task())
    given.does(built)
    if code is None:
        given.does(undo)
        assert given.the_task().deleted_at
        return
    with rejected(code, Conflict):
        given.when(undo)


def test_a_restoration_takes_along_to_the_trash_only_what_it_brought() -> None:
    given = begun()
    for command in (*family(), DeleteTask(TASK, subtasks=True)):
        given.does(command)
    undo = done(given, RestoreTask(TASK))
    given.does(CreateTask(THING, "new", parent_id=PART))
    with rejected("undo.depends", Conflict) as refused:
        given.when(undo)
    assert refused.value.extra["ids"] == [THING]
    given.does(EditTask(THING, parent_id=None)).does(EditTask(DEEP, parent_id=None))
    with rejected("undo.changed_since"):
        given.when(undo)


def test_a_tree_does_not_come_apart_over_projects() -> None:
    given = begun()
    for command in family(**IN):
        given.does(command)
    undo = done(given, EditTask(TASK, **AWAY))
    given.does(CreateTask(THING, "new", parent_id=DEEP))
    with rejected("undo.depends", Conflict) as refused:
        given.when(undo)
    assert refused.value.extra["ids"] == [THING]
    given.does(EditTask(THING, parent_id=None)).does(undo)
    assert {given.the_task(id_).project_id for id_ in (TASK, PART, DEEP)} == {PROJECT}
    assert [given.the_task(id_).key for id_ in (TASK, PART, DEEP)] == ["APP-1", "APP-2", "APP-3"]


def test_a_former_assignee_gets_it_back_as_long_as_they_may_have_it() -> None:
    given = begun().does(task(assignee=person(EVE), **IN))
    undo = done(given, UnassignTask(TASK), BOB)
    assert given.when(undo, BOB)
    given.does(RemoveProjectMember(PROJECT, EVE))
    with rejected("assignee.not_in_project"):
        given.when(undo)
    given.does(DeactivateUser(EVE))
    with rejected("assignee.deactivated"):
        given.when(undo)


def test_several_commands_that_were_written_as_one_are_taken_back_as_one() -> None:
    given = begun()
    was, first = world(given), len(given.log)
    commands: list[Command] = [
        *(task(**IN, tags=("a",)), EditTask(TASK, title="x", tags=("b",)), AssignTask(TASK, person(EVE)), STARTED),
        *(CreateTask(PART, "part", parent_id=TASK), item(THING), item(SECOND), ChangeItem(TASK, SECOND, checked=True)),
        *(RemoveItem(TASK, THING), PostComment(TASK, THIRD, f"@{{{EVE}}}"), EditComment(TASK, THIRD, "no")),
        *(MoveTask(PART, "start"), EditTask(PART, parent_id=None), DeleteTask(PART), RestoreTask(PART)),
        *(
            CreateProject(OTHER, "new", "NEW"),
            AddProjectMember(OTHER, EVE),
            AddProjectMember(OTHER, EVE, ProjectRole.LEAD),
        ),
        *(CreateTeam(DEEP, "Crew"), AddMember(DEEP, BOB), RemoveMember(DEEP, BOB), AddMember(DEEP, EVE)),
        *(ChooseWorkflow(VENTURE, FLOW), ChooseWorkflow(VENTURE, None), DeleteProject(VENTURE)),
    ]
    for command in commands:
        given.does(command)
    did = world(given)
    undo = command_at(given.log, first)
    redo = done(given, undo)
    now = world(given)
    assert [now.pop(made)["deleted_at"] for made in (TASK, PART)] == [True, True]
    assert now == was
    given.does(redo)
    assert world(given) == did
    with rejected("undo.changed_since"):
        given.does(EditTask(PART, title="later")).when(undo)


def test_a_workflow_goes_back_unless_tasks_came_where_it_has_no_status() -> None:
    given = begun().does(task(**IN, assignee=person(EVE))).does(STARTED)
    undo = done(given, ChangeWorkflow(FLOW, "Lean", without("review"), {}))
    assert given.when(undo)
    back = done(given, undo)
    given.does(MoveTask(TASK, "submit"), EVE)
    with rejected("workflow.mapping_missing") as refused:
        given.when(back)
    assert refused.value.extra["missing"] == ["review"]


def test_a_workflow_that_projects_live_by_stays() -> None:
    given = begun()
    undo = done(given, CreateWorkflow(THING, "Reviewed", REVIEWED), MAX)
    given.does(ChooseWorkflow(VENTURE, THING, {"todo": "backlog"}))
    with rejected("undo.depends", Conflict) as refused:
        given.when(undo, MAX)
    assert refused.value.extra["ids"] == [VENTURE]
    given.does(ChooseWorkflow(VENTURE, None)).does(undo, MAX)
    with rejected("workflow.not_found"):
        given.when(ChooseWorkflow(VENTURE, THING))


def test_a_manager_lets_a_comment_say_again_what_its_author_said_and_a_member_does_not() -> None:
    given = begun().does(task(**IN)).does(PostComment(TASK, THING, "well"), EVE)
    undo = done(given, EditComment(TASK, THING, "unwell"), EVE)
    with rejected("auth.forbidden"):
        given.when(undo, ZOE)
    assert given.when(undo, MAX)
    given.does(EditComment(TASK, THING, "worse"), EVE)
    with rejected("undo.changed_since"):
        given.when(undo, MAX)


def test_who_watches_for_a_mention_goes_with_it_unless_they_chose_to_stay() -> None:
    given = begun().does(task(**IN))
    undo = done(given, PostComment(TASK, THING, f"@{{{EVE}}} @{{{ZOE}}}"), BOB)
    given.does(Watch(TASK, EVE), EVE).does(undo, BOB)
    watching = next(each.state for each in given.folded.values() if isinstance(each.state, Watching))
    assert (watching.added, watching.removed) == ({EVE: Why.EXPLICIT}, ())
    again = done(given, Unwatch(TASK, EVE), EVE)
    with rejected("auth.forbidden"):
        given.when(again, ZOE)


def test_a_project_that_was_deleted_is_its_leads_to_revive_and_no_other_members() -> None:
    given = begun()
    undo = done(given, DeleteProject(PROJECT), BOB)
    with rejected("undo.not_found", NotFound):
        given.when(undo, EVE)
    given.does(undo, BOB)
    assert list(given.the_project().members.items()) == [
        (BOB, ProjectRole.LEAD),
        (EVE, ProjectRole.EDITOR),
        (ZOE, ProjectRole.VIEWER),
    ]


def test_a_project_that_others_have_joined_or_filled_stays() -> None:
    given = begun()
    undo = done(given, CreateProject(THING, "new", "NEW"), EVE)
    given.does(AddProjectMember(THING, BOB), EVE)
    with rejected("undo.depends"):
        given.when(undo, EVE)
    given.does(RemoveProjectMember(THING, BOB), EVE).does(CreateTask(TASK, "write", project_id=THING), EVE)
    with rejected("project.not_empty"):
        given.when(undo, EVE)


def test_what_is_gone_is_said_to_be_gone() -> None:
    given = begun().does(task())
    undo = done(given, EditTask(TASK, title="x"))
    given.does(DeleteTask(TASK))
    with rejected("undo.depends", Conflict) as refused:
        given.when(undo)
    assert refused.value.extra["rule"] == "task.not_found"


def test_time_and_erasures_end_it_and_some_things_stay() -> None:
    given = begun().does(task())
    undo = done(given, EditTask(TASK, title="x"))
    with rejected("undo.too_old"):
        given.when(Undo(undo.position, undo.wrote, too_old=True))
    first = len(given.log)
    given.happened(TASK, Erased(name="task.edited"))
    with rejected("undo.erased"):
        given.when(command_at(given.log, first))
    first = len(given.log)
    given.happened(ADA, UserProfileChanged(fields=("display_name",))).happened(
        TASK, TaskReopened(status="todo", category=given.the_task().category)
    )
    with rejected("undo.impossible") as refused:
        given.when(command_at(given.log, first))
    assert [event["type"] for event in refused.value.extra["events"]] == ["user.profile_changed"]


def test_an_item_comes_back_below_what_is_left_of_what_stood_above_it() -> None:
    given = begun().does(task())
    for id_ in (THING, SECOND, THIRD):
        given.does(item(id_))
    undo = done(given, RemoveItem(TASK, THIRD))
    given.does(RemoveItem(TASK, SECOND)).does(item(PART)).does(undo)
    checklist: Any = given.folded[undo.stream_id].state
    assert [each.id for each in checklist.items] == [THING, THIRD, PART]


def test_every_stream_that_is_written_was_read_and_whatever_was_read_is_an_expectation() -> None:
    given = begun()
    for command in family(**IN):
        given.does(command)
    undo = done(given, MoveTask(TASK, "cancel", close_subtasks=True))
    facts = given.facts(undo, ADA)
    assert {fact.stream_id for fact in facts} <= given.reads.keys()
    assert {PROJECT, FLOW, ADA} <= given.reads.keys()
    assert given.reads == {
        stream_id: given.folded[stream_id].version for stream_id in given.reads if stream_id in given.folded
    } | {stream_id: 0 for stream_id in given.reads if stream_id not in given.folded}
