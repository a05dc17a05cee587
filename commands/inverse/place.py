"""Taking back what happened to projects and teams, and to who is in them.

Their members come and go with them: where one command made, ended or revived one, its comings and goings are a part of
that. So who may do that is asked before they have left.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from commands import project, team
from commands.appending import Fact
from commands.deciding import Context
from commands.inverse.step import Inverse, Step, depends
from commands.project import (
    AddProjectMember,
    ArchiveProject,
    DeleteProject,
    EditProject,
    RemoveProjectMember,
    RestoreProject,
)
from commands.team import AddMember, DeleteTeam, EditTeam, RemoveMember
from commands.workflow import ChooseWorkflow
from domain.custom_workflow import PROJECTS_MAX, WorkflowAdopted
from domain.errors import Conflict
from domain.events import Event
from domain.policy import Action
from domain.project import (
    Project,
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectEdited,
    ProjectMemberAdded,
    ProjectMemberRemoved,
    ProjectMemberRoleChanged,
    ProjectRestored,
    ProjectRevived,
    ProjectWorkflowChanged,
)
from domain.team import (
    Team,
    TeamCreated,
    TeamDeleted,
    TeamEdited,
    TeamMemberAdded,
    TeamMemberRemoved,
    TeamMemberRoleChanged,
    TeamRevived,
)
from domain.undo import set_by
from domain.user import UserProjectJoined, UserTeamJoined

# A coming or going, and what it is a part of where the same command did that to the same project or team.
_PARTS: Final[Mapping[type[Event], tuple[type[Event], ...]]] = {
    ProjectMemberAdded: (ProjectCreated, ProjectRevived),
    ProjectMemberRemoved: (ProjectDeleted,),
    TeamMemberAdded: (TeamCreated, TeamRevived),
    TeamMemberRemoved: (TeamDeleted,),
}


def is_part(step: Step) -> bool:
    """Whether it is taken back with another event of its command."""
    return any(step.wrote.has(record, step.stream_id) for record in _PARTS.get(type(step.event), ()))


def _of(step: Step, record: type[Event]) -> Iterable[Step]:
    """What the command wrote of a kind to the same stream."""
    return (each for each in step.wrote.steps if each.stream_id == step.stream_id and isinstance(each.event, record))


def _check_members(step: Step, now: Project | Team | None, record: type[Event]) -> None:
    """Nobody came in since, or left, or has another role."""
    members = {each.event.user_id: each.event.role for each in _of(step, record)}
    if now is None or now.members != members:
        raise depends("others have become members, or left")


def _project_made(context: Context, step: Step) -> Sequence[Fact]:
    _check_members(step, context.read(step.stream_id, Project), ProjectMemberAdded)
    return DeleteProject(step.stream_id).decide(context)


def _project_deleted(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again, with its key, its members and its workflow. Nothing could happen to it meanwhile."""
    context.allowed(Action.PROJECT_CREATE)
    facts = step.fact(ProjectRevived())
    if step.before.workflow_id is not None:
        workflow = context.workflow(step.before.workflow_id)
        if len(workflow.projects) >= PROJECTS_MAX:
            raise Conflict("workflow.too_many_projects", f"at most {PROJECTS_MAX} projects live by one workflow")
        facts.append(Fact(workflow.id, WorkflowAdopted(project_id=step.stream_id)))
    for user_id, role in _gone(step, ProjectMemberRemoved):
        if len(context.user(user_id).projects) >= project.PROJECTS_MAX:
            raise Conflict("project.too_many", f"a user is in at most {project.PROJECTS_MAX} projects")
        facts += step.fact(ProjectMemberAdded(user_id=user_id, role=role))
        facts.append(Fact(user_id, UserProjectJoined(project_id=step.stream_id, role=role)))
    return facts


def _gone(step: Step, record: type[Event]) -> list[tuple[str, Any]]:
    """Who left with it, and the roles they had; in the order in which they had come."""
    gone = [(each.event.user_id, each.before.members[each.event.user_id]) for each in _of(step, record)]
    order = next((list(each.before.members) for each in _of(step, record)), [])
    return sorted(gone, key=lambda pair: order.index(pair[0]))


def _project_edited(context: Context, step: Step) -> Sequence[Fact]:
    return EditProject(step.stream_id, **set_by(step.event, step.before)).decide(context)


def _project_archived(context: Context, step: Step) -> Sequence[Fact]:
    return RestoreProject(step.stream_id).decide(context)


def _project_restored(context: Context, step: Step) -> Sequence[Fact]:
    return ArchiveProject(step.stream_id).decide(context)


def _project_member_added(context: Context, step: Step) -> Sequence[Fact]:
    return RemoveProjectMember(step.stream_id, step.event.user_id).decide(context)


def _project_member_back(context: Context, step: Step) -> Sequence[Fact]:
    user_id = step.event.user_id
    return AddProjectMember(step.stream_id, user_id, step.before.members[user_id]).decide(context)


def _project_workflow_changed(context: Context, step: Step) -> Sequence[Fact]:
    """The one of before. Tasks that came to a status since which that one lacks stand in the way."""
    return ChooseWorkflow(step.stream_id, step.before.workflow_id).decide(context)


def _team_made(context: Context, step: Step) -> Sequence[Fact]:
    _check_members(step, context.read(step.stream_id, Team), TeamMemberAdded)
    return DeleteTeam(step.stream_id).decide(context)


def _team_deleted(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again, with its members."""
    context.allowed(Action.TEAM_CREATE)
    facts = step.fact(TeamRevived())
    for user_id, role in _gone(step, TeamMemberRemoved):
        if len(context.user(user_id).teams) >= team.TEAMS_MAX:
            raise Conflict("team.too_many", f"a user is in at most {team.TEAMS_MAX} teams")
        facts += step.fact(TeamMemberAdded(user_id=user_id, role=role))
        facts.append(Fact(user_id, UserTeamJoined(team_id=step.stream_id, role=role)))
    return facts


def _team_edited(context: Context, step: Step) -> Sequence[Fact]:
    return EditTeam(step.stream_id, **set_by(step.event, step.before)).decide(context)


def _team_member_added(context: Context, step: Step) -> Sequence[Fact]:
    return RemoveMember(step.stream_id, step.event.user_id).decide(context)


def _team_member_back(context: Context, step: Step) -> Sequence[Fact]:
    user_id = step.event.user_id
    return AddMember(step.stream_id, user_id, step.before.members[user_id]).decide(context)


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    ProjectCreated: _project_made,
    ProjectRevived: _project_made,
    ProjectDeleted: _project_deleted,
    ProjectEdited: _project_edited,
    ProjectArchived: _project_archived,
    ProjectRestored: _project_restored,
    ProjectMemberAdded: _project_member_added,
    ProjectMemberRoleChanged: _project_member_back,
    ProjectMemberRemoved: _project_member_back,
    ProjectWorkflowChanged: _project_workflow_changed,
    TeamCreated: _team_made,
    TeamRevived: _team_made,
    TeamDeleted: _team_deleted,
    TeamEdited: _team_edited,
    TeamMemberAdded: _team_member_added,
    TeamMemberRoleChanged: _team_member_back,
    TeamMemberRemoved: _team_member_back,
}
