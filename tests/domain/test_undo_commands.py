"""Every command is taken back: the folds are as before, but for who and when; and taking that back does it again."""

from datetime import date
from typing import Any, NamedTuple

import pytest

from commands.attachment import AddAttachment, RemoveAttachment
from commands.checklist import AddItem, ChangeItem, RemoveItem
from commands.comment import DeleteComment, EditComment, PostComment
from commands.deciding import Command
from commands.dependencies import LinkTasks, UnlinkTasks
from commands.inbox import MarkRead, MarkReadThrough, MarkUnread
from commands.instantiating import Instantiate
from commands.invite import CreateInvite
from commands.project import (
    AddProjectMember,
    ArchiveProject,
    CreateProject,
    DeleteProject,
    EditProject,
    RemoveProjectMember,
    RestoreProject,
)
from commands.recurrence import SetRecurrence, SkipOccurrence, StopRecurrence
from commands.reminder import AddReminder, RemoveReminder
from commands.tagging import ChangeTag, RemoveTag
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.team import AddMember, CreateTeam, DeleteTeam, EditTeam, RemoveMember
from commands.template import ChangeTemplate, CreateTemplate, DeleteTemplate
from commands.templating import MakeTemplate
from commands.timesheet import AddEntry, EditEntry, RemoveEntry
from commands.undo import INVERSES
from commands.user import ChangeRole, DeactivateUser, ReactivateUser
from commands.view import CreateView, DeleteView, EditView
from commands.watching import Unwatch, Watch
from commands.workflow import ChangeWorkflow, ChooseWorkflow, CreateWorkflow
from domain.events import NAMES
from domain.invite import Invite, InviteCreated, InviteStatus
from domain.project import Blocking, ProjectRole
from domain.recurrence import Mode
from domain.reminder import Date
from domain.series import series_of
from domain.task import TaskCreated
from domain.task_fields import Assignee, Priority
from domain.task_links import LinkType
from domain.team import TeamRole
from domain.template import Definition, TemplateTask, Variable
from domain.undo import FOLLOWING, LOOKS, STAYING
from domain.user import Role
from domain.view import Sharing
from domain.workspace import WorkspaceFounded
from tests.domain.given import (
    ADA,
    BOB,
    CREW,
    EVE,
    FLOW,
    MAX,
    OTHER,
    PROJECT,
    TASK,
    TEAM,
    VENTURE,
    WORKSPACE,
    ZOE,
    Given,
    at,
    person,
)
from tests.domain.reviewed import REVIEWED, project_of_reviews, without
from tests.domain.undoing import done, timers, world

PART, DEEP = (f"00000000-0000-7000-8000-00000000060{n}" for n in range(2))
THING, SECOND, THIRD = (f"00000000-0000-7000-8000-00000000070{n}" for n in range(3))
FILE = AddAttachment(TASK, THING, "a.txt", 4, "text/plain", "00" * 32)
EDIT: dict[str, Any] = {
    "title": "other",
    "priority": Priority.HIGH,
    "due_at": at(99),
    "tags": ("q4",),
    "estimate_minutes": 5,
}


class Case(NamedTuple):
    """A command by somebody, after others."""

    command: Command
    before: tuple[Command | tuple[Command, str], ...] = ()
    by: str = ADA


def begun() -> Given:
    """Ada is the admin; a project with a workflow of its own, another one without, and a team of Eve and Zoe."""
    given = project_of_reviews().project(VENTURE, {BOB: ProjectRole.LEAD, EVE: ProjectRole.EDITOR}, key="VEN")
    given.happened(WORKSPACE, WorkspaceFounded(admin_id=ADA))
    return given.team(TEAM, {EVE: TeamRole.LEAD, ZOE: TeamRole.MEMBER})


def task(title: str = "write", **fields: Any) -> CreateTask:
    return CreateTask(TASK, title, **fields)


def family(**fields: Any) -> tuple[Command, ...]:
    """A task with a part, which has a part."""
    return (task(**fields), CreateTask(PART, "part", parent_id=TASK), CreateTask(DEEP, "deep", parent_id=PART))


def item(id_: str, text: str = "an item") -> AddItem:
    return AddItem(TASK, id_, text)


HOUR = AddEntry(TASK, THING, 60, "2026-11-21", "dug")
SAID = PostComment(TASK, THING, f"well, @{{{MAX}}}")
IN: dict[str, Any] = {"project_id": PROJECT}
AWAY: dict[str, Any] = {"project_id": VENTURE}
STARTED = MoveTask(TASK, "start")
DAILY = "FREQ=DAILY"
MONDAY, TUESDAY, WEDNESDAY = (f"2027-01-0{n}T08:00:00.000000Z" for n in (4, 5, 6))  # nine o'clock in Berlin


def recurs(rule: str = DAILY, **fields: Any) -> SetRecurrence:
    """From Monday on, asked long before it."""
    return SetRecurrence(TASK, series_of(TASK), rule, **{"now": at(0), "zone": "Europe/Berlin", **fields})


def skip(occurrence: str) -> SkipOccurrence:
    return SkipOccurrence(TASK, series_of(TASK), occurrence)


STOP = StopRecurrence(TASK, series_of(TASK))
REMIND = AddReminder(TASK, THING, relative_to=Date.DUE_AT, minutes_before=60)
SHARED = CreateView(THING, "mine", "assignee:me", Sharing.WORKSPACE)
STEPS = (
    TemplateTask(ref="plan", title="Plan {{what}}", checklist=("ask", "write")),
    TemplateTask(ref="do", title="Do it", parent="plan"),
    TemplateTask(ref="show", title="Show it", depends_on=("do",)),
)
WRITTEN = CreateTemplate(THING, Definition(name="Release", variables=(Variable(name="what"),), tasks=STEPS))
IDS = {"task:plan": TASK, "task:do": PART, "task:show": DEEP, "item:plan:0": SECOND, "item:plan:1": THIRD}
MAKE = Instantiate(
    "00000000-0000-7000-8000-000000000801", THING, IDS.__getitem__, date(2027, 1, 4), variables={"what": "it"}
)

CASES = {
    "create": Case(task()),
    "create with everything": Case(task(**EDIT, assignee=person(EVE), **IN)),
    "create a part": Case(CreateTask(PART, "part", parent_id=TASK), (task(**IN),)),
    "edit": Case(EditTask(TASK, **EDIT), (task(),)),
    "edit, assign and put elsewhere": Case(EditTask(TASK, title="x", assignee=person(EVE), **AWAY), (task(**IN),)),
    "assign": Case(AssignTask(TASK, person(EVE)), (task(),)),
    "assign to another": Case(AssignTask(TASK, Assignee("team", TEAM)), (task(assignee=person(EVE)),)),
    "unassign": Case(UnassignTask(TASK), (task(assignee=person(EVE)),)),
    "start": Case(STARTED, (task(),)),
    "start in a project": Case(STARTED, (task(**IN),)),
    "complete": Case(MoveTask(TASK, "complete"), (task(), STARTED)),
    "complete with all below": Case(MoveTask(TASK, "complete", close_subtasks=True), family()),
    "complete what blocks": Case(
        MoveTask(TASK, "complete"), (task(), CreateTask(OTHER, "wait"), LinkTasks(TASK, LinkType.BLOCKS, OTHER))
    ),
    "pause": Case(MoveTask(TASK, "pause"), (task(), STARTED)),
    "cancel": Case(MoveTask(TASK, "cancel"), (task(**IN),)),
    "reopen": Case(MoveTask(TASK, "reopen"), (task(), MoveTask(TASK, "complete"))),
    "a move of its own": Case(MoveTask(TASK, "submit"), (task(**IN, assignee=person(EVE)), STARTED), EVE),
    "delete": Case(DeleteTask(TASK), (task(**IN),)),
    "delete with all below": Case(DeleteTask(TASK, subtasks=True), family(**IN)),
    "delete what blocks": Case(
        DeleteTask(TASK), (task(), CreateTask(OTHER, "wait"), LinkTasks(TASK, LinkType.BLOCKS, OTHER))
    ),
    "restore": Case(RestoreTask(TASK), (task(**IN), DeleteTask(TASK))),
    "restore with all below": Case(RestoreTask(PART), (*family(**IN), DeleteTask(PART, subtasks=True))),
    "restore where the parent has gone": Case(
        RestoreTask(PART), (*family(**IN), DeleteTask(PART, subtasks=True), EditTask(TASK, **AWAY))
    ),
    "restore where the status has gone": Case(
        RestoreTask(TASK),
        (
            *(task(**IN, assignee=person(EVE)), STARTED, (MoveTask(TASK, "submit"), EVE), DeleteTask(TASK)),
            ChangeWorkflow(FLOW, "Reviewed", without("review"), {}),
        ),
    ),
    "put a tree elsewhere": Case(EditTask(TASK, **AWAY), family(**IN)),
    "put a tree into a project": Case(EditTask(TASK, **IN), family()),
    "put below another": Case(EditTask(PART, parent_id=OTHER), (*family(**IN), CreateTask(OTHER, "other", **AWAY))),
    "put below none": Case(EditTask(PART, parent_id=None), family()),
    "link": Case(LinkTasks(TASK, LinkType.BLOCKS, OTHER), (task(), CreateTask(OTHER, "other"))),
    "unlink": Case(
        UnlinkTasks(TASK, LinkType.BLOCKED_BY, OTHER),
        (task(), CreateTask(OTHER, "other"), LinkTasks(TASK, LinkType.BLOCKED_BY, OTHER), MoveTask(OTHER, "complete")),
    ),
    "post": Case(SAID, (task(),)),
    "edit a comment": Case(EditComment(TASK, THING, f"oh, @{{{ADA}}}"), (task(**IN), (SAID, BOB)), BOB),
    "delete a comment": Case(DeleteComment(TASK, THING), (task(), SAID, EditComment(TASK, THING, "oh"))),
    "watch": Case(Watch(TASK, MAX), (task(),)),
    "watch again": Case(Watch(TASK, MAX), (task(), Watch(TASK, MAX), Unwatch(TASK, MAX))),
    "unwatch": Case(Unwatch(TASK, MAX), (task(), Watch(TASK, MAX))),
    "unwatch as creator": Case(Unwatch(TASK, ADA), (task(),)),
    "add an item": Case(item(THING), (task(), item(SECOND))),
    "change an item": Case(
        ChangeItem(TASK, THING, "other", checked=True, after=SECOND), (task(), item(THING), item(SECOND))
    ),
    "uncheck": Case(
        ChangeItem(TASK, THING, checked=False), (task(), item(THING), ChangeItem(TASK, THING, checked=True))
    ),
    "move to the top": Case(ChangeItem(TASK, THIRD, after=None), (task(), item(THING), item(SECOND), item(THIRD))),
    "remove an item": Case(
        RemoveItem(TASK, SECOND),
        (task(), item(THING), item(SECOND), item(THIRD), ChangeItem(TASK, SECOND, checked=True)),
    ),
    "add an hour": Case(HOUR, (task(),)),
    "edit an hour": Case(EditEntry(TASK, THING, minutes=61, note="rested"), (task(), HOUR)),
    "remove an hour": Case(RemoveEntry(TASK, THING), (task(**IN), (HOUR, EVE))),
    "attach": Case(FILE, (task(),)),
    "take a file away": Case(RemoveAttachment(TASK, THING), (task(), FILE)),
    "mark as read": Case(MarkRead(ADA, (3, 4)), (MarkRead(ADA, (4,)),)),
    "mark as unread": Case(MarkUnread(ADA, (3, 4)), (MarkRead(ADA, (4,)),)),
    "mark all as read": Case(MarkReadThrough(ADA, 6), (MarkRead(ADA, (2, 4, 8)),)),
    "mark all as read again": Case(MarkReadThrough(ADA, 6), (MarkReadThrough(ADA, 5), MarkUnread(ADA, (2, 4)))),
    "begin a project": Case(CreateProject(THING, "new", "NEW"), by=EVE),
    "edit a project": Case(EditProject(PROJECT, name="other", blocking=Blocking.SOFT), by=BOB),
    "archive": Case(ArchiveProject(PROJECT), by=BOB),
    "let a project go on": Case(RestoreProject(PROJECT), (ArchiveProject(PROJECT),)),
    "delete a project": Case(DeleteProject(PROJECT), by=BOB),
    "add to a project": Case(AddProjectMember(PROJECT, MAX), by=BOB),
    "another role in a project": Case(AddProjectMember(PROJECT, EVE, ProjectRole.LEAD), by=BOB),
    "remove from a project": Case(RemoveProjectMember(PROJECT, EVE), by=BOB),
    "choose a workflow": Case(ChooseWorkflow(VENTURE, FLOW, {"todo": "backlog"}), (task(**AWAY),)),
    "choose the standard": Case(
        ChooseWorkflow(PROJECT, None, {"backlog": "todo", "doing": "in_progress"}), (task(**IN), STARTED), BOB
    ),
    "change a workflow": Case(
        ChangeWorkflow(FLOW, "Lean", without("review"), {"review": "doing"}),
        (task(**IN, assignee=person(EVE)), STARTED, (MoveTask(TASK, "submit"), EVE)),
    ),
    "make a workflow": Case(CreateWorkflow(THING, "Reviewed", REVIEWED), by=MAX),
    "make a team": Case(CreateTeam(CREW, "Crew"), by=MAX),
    "edit a team": Case(EditTeam(TEAM, name="Crew", description="all"), by=EVE),
    "delete a team": Case(DeleteTeam(TEAM), by=MAX),
    "add to a team": Case(AddMember(TEAM, BOB), by=EVE),
    "another role in a team": Case(AddMember(TEAM, ZOE, TeamRole.LEAD), by=EVE),
    "remove from a team": Case(RemoveMember(TEAM, ZOE), by=EVE),
    "another role": Case(ChangeRole(MAX, Role.ADMIN)),
    "a role that is no admin's": Case(ChangeRole(MAX, Role.MEMBER), (ChangeRole(MAX, Role.ADMIN),)),
    "deactivate": Case(DeactivateUser(MAX)),
    "reactivate": Case(ReactivateUser(MAX), (DeactivateUser(MAX),)),
    "describe a tag": Case(ChangeTag(WORKSPACE, "q4", colour="#ff0000", description="soon"), by=MAX),
    "describe it again": Case(
        ChangeTag(WORKSPACE, "q4", colour="#00ff00"), (ChangeTag(WORKSPACE, "q4", colour="#ff0000"),)
    ),
    "rename a tag": Case(
        ChangeTag(WORKSPACE, "q4", to="q5", description="soon"),
        (task(tags=("x", "q4", "y")), ChangeTag(WORKSPACE, "q4", colour="#ff0000")),
        MAX,
    ),
    "make two tags one": Case(
        ChangeTag(WORKSPACE, "q4", to="q5"),
        (
            *(
                task(tags=("x", "q4", "q5")),
                CreateTask(OTHER, "other", tags=("q5",)),
                CreateTask(PART, "part", tags=("q4",)),
            ),
            ChangeTag(WORKSPACE, "q4", colour="#ff0000"),
        ),
        MAX,
    ),
    "remove a tag": Case(
        RemoveTag(WORKSPACE, "q4"),
        (
            *(task(tags=("x", "q4", "y")), CreateTask(OTHER, "other", tags=("q4",))),
            ChangeTag(WORKSPACE, "q4", colour="#ff0000"),
        ),
        MAX,
    ),
    "say a day": Case(
        EditTask(TASK, due_on="2027-01-31", due_zone="Europe/Berlin", start_at=MONDAY), (task(due_at=at(99)),)
    ),
    "say an instant": Case(EditTask(TASK, due_at=MONDAY), (task(due_on="2027-01-31", due_zone="Europe/Berlin"),)),
    "say no day": Case(EditTask(TASK, due_on=None), (task(due_on="2027-01-31", due_zone="Europe/Berlin"),)),
    "be reminded": Case(REMIND, (task(due_at=MONDAY, **IN),), EVE),
    "be reminded no more": Case(RemoveReminder(TASK, THING), (task(due_at=MONDAY, **IN), (REMIND, EVE)), EVE),
    "let it recur": Case(recurs(), (task(due_at=MONDAY),)),
    "let it recur on another day": Case(recurs("FREQ=WEEKLY;BYDAY=TU"), (task(due_at=MONDAY, **IN),), BOB),
    "let recur what was never due": Case(recurs(starts="2027-01-04", mode=Mode.COMPLETION), (task(),)),
    "let it recur where some are past": Case(recurs(now=WEDNESDAY), (task(due_at=MONDAY),)),
    "let it recur where all are past": Case(recurs("FREQ=DAILY;COUNT=2", now=WEDNESDAY), (task(due_at=MONDAY),)),
    "let it recur otherwise": Case(
        recurs("FREQ=WEEKLY;BYDAY=TU", mode=Mode.COMPLETION), (task(due_at=MONDAY), recurs(), skip(TUESDAY))
    ),
    "let it recur again": Case(recurs(), (task(due_at=MONDAY), recurs(), STOP)),
    "skip": Case(skip(TUESDAY), (task(due_at=MONDAY), recurs())),
    "skip the last one": Case(skip(TUESDAY), (task(due_at=MONDAY), recurs("FREQ=DAILY;COUNT=2"))),
    "stop": Case(STOP, (task(due_at=MONDAY), recurs(), skip(TUESDAY))),
    "write a template": Case(WRITTEN, by=MAX),
    "make a template": Case(MakeTemplate(THING, TASK, "Again"), family(), MAX),
    "change a template": Case(
        ChangeTemplate(THING, name="Rollout", variables=(), tasks=(TemplateTask(ref="a", title="A"),)), (WRITTEN,), MAX
    ),
    "delete a template": Case(DeleteTemplate(THING), (WRITTEN,), MAX),
    "make the tasks of a template": Case(MAKE, (WRITTEN,), MAX),
    "keep a view": Case(SHARED, by=EVE),
    "keep a view for a team": Case(CreateView(THING, "ours", "", Sharing.TEAM, TEAM), by=EVE),
    "edit a view": Case(EditView(THING, name="x", query="due<7d"), ((SHARED, EVE),), EVE),
    "share a view": Case(EditView(THING, sharing=Sharing.TEAM, team_id=TEAM), ((SHARED, EVE),), EVE),
    "delete a view": Case(DeleteView(THING), ((SHARED, EVE),), EVE),
}


def before(case: Case) -> Given:
    given = begun()
    for each in case.before:
        command, by = each if isinstance(each, tuple) else (each, ADA)
        given.does(command, by)
    return given


OWN = (  # nobody else sees it
    *("mark as read", "mark as unread", "mark all as read", "mark all as read again"),
    *("be reminded", "be reminded no more"),
)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("manager", [False, True], ids=["author", "other"])
def test_a_command_that_is_taken_back_leaves_the_folds_as_they_were(name: str, manager: bool) -> None:
    case = CASES[name]
    given = before(case)
    was, to_come = world(given), timers(given)
    undo = done(given, case.command, case.by)
    did, then = world(given), timers(given)
    by = ADA if manager and name not in OWN else case.by
    redo = done(given, undo, by)
    now, coming = world(given), timers(given)
    for made in undo.wrote.streams(TaskCreated):  # a creation ends in the trash: see below
        assert now.pop(made)["deleted_at"]
        assert coming.pop(made)["trashed_at"]
    assert (now, coming) == (was, to_come)
    done(given, redo, by)
    assert (world(given), timers(given)) == (did, then)


def test_the_commands_here_write_every_event_that_can_be_taken_back() -> None:
    written: set[type] = {InviteCreated}
    for case in CASES.values():
        given = before(case)
        undo = done(given, case.command, case.by)
        redo = done(given, undo, case.by)
        again = done(given, redo, case.by)
        written |= {type(event.event) for each in (undo, redo, again) for event in each.wrote.events}
    assert LOOKS.keys() <= written


def test_an_invite_that_is_taken_back_is_withdrawn() -> None:
    given = begun()
    given.does(done(given, CreateInvite(THING, Role.MEMBER, at(99)), MAX), MAX)
    invite = given.state(THING)
    assert isinstance(invite, Invite)
    assert invite.status is InviteStatus.WITHDRAWN


def test_every_stored_event_is_taken_back_or_follows_or_stays_for_a_reason() -> None:
    assert set(NAMES) == LOOKS.keys() | FOLLOWING | STAYING.keys()
    assert len(NAMES) == len(LOOKS) + len(FOLLOWING) + len(STAYING)
    assert INVERSES.keys() == LOOKS.keys()
    assert all(STAYING.values())
