"""Random histories: whatever a team may do, through the executor, from a seed."""

import random
from collections.abc import Callable
from datetime import date

from commands.attachment import AddAttachment, RemoveAttachment
from commands.comment import DeleteComment, EditComment, PostComment
from commands.deciding import Command
from commands.dependencies import LinkTasks, UnlinkTasks
from commands.ids import named_ids, new_id
from commands.instantiating import Instantiate
from commands.project import (
    AddProjectMember,
    ArchiveProject,
    CreateProject,
    DeleteProject,
    EditProject,
    RemoveProjectMember,
    RestoreProject,
)
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.team import AddMember, CreateTeam, DeleteTeam, EditTeam, RemoveMember
from commands.template import ChangeTemplate, CreateTemplate, DeleteTemplate
from commands.templating import MakeTemplate
from commands.user import ChangeProfile, ChangeRole
from commands.view import CreateView, DeleteView, EditView
from commands.workflow import ChangeWorkflow, ChooseWorkflow, CreateWorkflow
from domain.errors import Rejection
from domain.project import Blocking, ProjectRole
from domain.task import MOVES
from domain.task_fields import Assignee, Priority
from domain.task_links import LinkType
from domain.team import TeamRole
from domain.template import Value
from domain.user import Role
from domain.view import Sharing
from tests.commands.desk import Desk, Team
from tests.domain.given import person
from tests.domain.reviewed import REVIEWED, without
from tests.domain.templates import ONBOARDING

TEXTS = (
    "write",
    "",
    "ünïcode ✓ 𠀀",
    "\"quotes\" 'and' \\back\\slashes",
    "two\nlines\tand a tab",
    "a, {b}, [c]",
    "NULL",
)
TAGS = ("plain", "a,b", "{braces}", 'quo"te', "back\\slash", "NULL", " ", "ünï", "𠀀", "'", "")
DUES = (None, "0001-01-02T00:00:00.000000Z", "2027-06-30T12:00:00.000001Z", "9999-12-30T23:59:59.999999Z")
STARTS = (None, "2026-01-01T00:00:00.000000Z", "2027-01-01T08:30:00.000001Z")
DAYS = (None, "2027-03-28", "2028-02-29")
ZONES = ("Europe/Berlin", "America/St_Johns")


class History:
    """Commands of a team, made up one after another."""

    def __init__(self, desk: Desk, team: Team, seed: int) -> None:
        self._desk = desk
        self._team = team
        self._random = random.Random(seed)
        self._tasks: list[str] = []
        self._teams: list[str] = []
        self._projects: list[str] = []
        self._workflows: list[str] = []
        self._templates: list[str] = []
        self._comments: list[tuple[str, str]] = []  # the task, and the comment
        self._views: list[str] = []
        self._files: list[tuple[str, str]] = []  # the task, and the file

    async def go_on(self, commands: int) -> None:
        """So many commands more; what the rules refuse is part of life."""
        for _ in range(commands):
            by = self._random.choice(self._people)
            command = self._command(by)
            try:
                await self._desk.do(self._team, by, command)
            except Rejection:
                continue
            self._remember(command)

    def _remember(self, command: Command) -> None:
        """What is there now, and what is gone."""
        match command:
            case CreateTask():
                self._tasks.append(command.task_id)
            case Instantiate():
                self._tasks += [command.ids(f"task:{task.ref}") for task in ONBOARDING.tasks]
            case CreateTeam():
                self._teams.append(command.team_id)
            case DeleteTeam():
                self._teams.remove(command.team_id)
            case CreateProject():
                self._projects.append(command.project_id)
            case CreateWorkflow():
                self._workflows.append(command.workflow_id)
            case _:
                self._remember_other(command)

    def _remember_other(self, command: Command) -> None:
        match command:
            case CreateTemplate() | MakeTemplate():
                self._templates.append(command.template_id)
            case PostComment():
                self._comments.append((command.task_id, command.comment_id))
            case CreateView():
                self._views.append(command.view_id)
            case DeleteView():
                self._views.remove(command.view_id)
            case AddAttachment():
                self._files.append((command.task_id, command.attachment_id))

    @property
    def _people(self) -> tuple[str, ...]:
        return self._team[1:]

    def _command(self, by: str) -> Command:
        if not self._tasks or self._random.random() < 0.15:
            return self._create()
        task = self._random.choice(self._tasks)
        pick = self._random.choice
        makers: list[Callable[[], Command]] = [
            lambda: EditTask(task, title=pick(TEXTS), tags=self._tags()),
            lambda: EditTask(task, description=pick(TEXTS) * 50, due_at=pick(DUES), priority=pick(list(Priority))),
            lambda: EditTask(task, start_at=pick(STARTS)),
            lambda: EditTask(task, due_on=pick(DAYS), due_zone=pick(ZONES)),
            lambda: AssignTask(task, person(pick(self._people))),
            lambda: UnassignTask(task),
            lambda: MoveTask(task, pick(list(MOVES)), pick(TEXTS)),
            lambda: MoveTask(task, pick([*MOVES, "submit", "remind"])),
            lambda: DeleteTask(task),
            lambda: RestoreTask(task),
            lambda: ChangeRole(pick(self._people), pick(list(Role))),
            lambda: ChangeProfile(by, ("display_name",)),
            lambda: self._team_command(),
            *[lambda: self._project_command()] * 2,
            *[lambda: self._workflow_command()] * 2,
            lambda: EditTask(task, project_id=pick([None, *self._projects])),
            lambda: EditTask(task, parent_id=pick([None, *self._tasks])),
            lambda: LinkTasks(task, pick(list(LinkType)), pick(self._tasks)),
            lambda: UnlinkTasks(task, pick(list(LinkType)), pick(self._tasks)),
            lambda: self._comment_command(task),
            *[lambda: self._template_command(task)] * 2,
            lambda: self._view_command(),
            lambda: self._file_command(task),
            lambda: AssignTask(task, Assignee(type="team", id=pick(self._teams or [task]))),
        ]
        return pick(makers)()

    def _team_command(self) -> Command:
        pick = self._random.choice
        if len(self._teams) < 3:
            return CreateTeam(new_id(), pick(TEXTS) or "t", pick(TEXTS))
        team = pick(self._teams)
        makers: list[Callable[[], Command]] = [
            lambda: AddMember(team, pick(self._people), pick(list(TeamRole))),
            lambda: AddMember(team, pick(self._people), pick(list(TeamRole))),
            lambda: RemoveMember(team, pick(self._people)),
            lambda: EditTeam(team, name=pick(TEXTS), description=pick(TEXTS)),
            lambda: DeleteTeam(team),
        ]
        return pick(makers)()

    def _project_command(self) -> Command:
        pick = self._random.choice
        if len(self._projects) < 3:
            return CreateProject(new_id(), pick(TEXTS) or "p", f"P{self._random.randrange(10)}", pick(TEXTS))
        project = pick(self._projects)
        makers: list[Callable[[], Command]] = [
            lambda: AddProjectMember(project, pick(self._people), pick(list(ProjectRole))),
            lambda: AddProjectMember(project, pick(self._people), pick(list(ProjectRole))),
            lambda: RemoveProjectMember(project, pick(self._people)),
            lambda: EditProject(project, name=pick(TEXTS), blocking=pick(list(Blocking))),
            lambda: ArchiveProject(project, pick(TEXTS)),
            lambda: RestoreProject(project),
            lambda: RestoreProject(project),
            lambda: DeleteProject(project),
        ]
        return pick(makers)()

    def _workflow_command(self) -> Command:
        pick = self._random.choice
        if len(self._workflows) < 4 or not self._projects or self._random.random() < 0.4:
            return CreateWorkflow(new_id(), pick(TEXTS) or "w", REVIEWED)
        mapping = pick([{}, {"review": "doing"}, {"doing": "in_progress", "review": "in_progress", "backlog": "todo"}])
        change: Command = ChangeWorkflow(pick(self._workflows), "changed", pick([REVIEWED, without("review")]), mapping)
        return pick([change, ChooseWorkflow(pick(self._projects), pick([None, *self._workflows]), mapping)])

    def _template_command(self, task: str) -> Command:
        pick = self._random.choice
        if len(self._templates) < 3:
            made: list[Command] = [
                CreateTemplate(new_id(), ONBOARDING),
                MakeTemplate(new_id(), task, pick(TEXTS) or "t", assignees=True),
            ]
            return pick(made)
        template = pick(self._templates)
        values: dict[str, Value | None] = {
            "who": pick(TEXTS) or "w",
            "laptops": pick([2, 1.5]),
            "first_day": pick([None, "2027-02-01"]),
        }
        roles = {"office": pick((None, *map(person, self._people)))}
        project = pick([None, *self._projects])
        makers: list[Callable[[], Command]] = [
            lambda: ChangeTemplate(template, name=pick(TEXTS), description=pick(TEXTS)),
            lambda: ChangeTemplate(template, variables=ONBOARDING.variables, tasks=ONBOARDING.tasks),
            lambda: DeleteTemplate(template),
            *[
                lambda: Instantiate(
                    new_id(), template, named_ids(), date(2027, 1, 4), variables=values, roles=roles, project_id=project
                )
            ]
            * 3,
        ]
        return pick(makers)()

    def _comment_command(self, task: str) -> Command:
        pick = self._random.choice
        if len(self._comments) < 3 or self._random.random() < 0.5:
            return PostComment(task, new_id(), pick(TEXTS) or "c")
        comment = pick(self._comments)
        changes: list[Command] = [EditComment(*comment, pick(TEXTS) or "c"), DeleteComment(*comment)]
        return pick(changes)

    def _view_command(self) -> Command:
        pick = self._random.choice
        if len(self._views) < 2:
            return CreateView(new_id(), pick(TEXTS) or "v", "is:open sort:due")
        view = pick(self._views)
        changes: list[Command] = [
            EditView(view, name=pick(TEXTS) or "v", sharing=pick([Sharing.PRIVATE, Sharing.WORKSPACE])),
            EditView(view, query=pick(["assignee:me", "tag:plain -is:done"])),
            DeleteView(view),
        ]
        return pick(changes)

    def _file_command(self, task: str) -> Command:
        pick = self._random.choice
        if len(self._files) < 2 or self._random.random() < 0.5:
            return AddAttachment(task, new_id(), "figures.txt", 3, "text/plain", "00" * 32)
        return RemoveAttachment(*pick(self._files))

    def _create(self) -> Command:
        pick = self._random.choice
        return CreateTask(
            new_id(),
            pick(TEXTS) or "t",
            description=pick(TEXTS),
            priority=pick(list(Priority)),
            start_at=pick(STARTS),
            due_at=pick(DUES[:1] + DUES[2:]),
            tags=self._tags(),
            assignee=pick((None, *map(person, self._people))),
            project_id=pick([None, None, *self._projects]),
        )

    def _tags(self) -> tuple[str, ...]:
        return tuple(self._random.sample(TAGS[:-1], self._random.randrange(4)))
