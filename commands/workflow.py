"""The commands on workflows, and the choice of one for a project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from commands.appending import Fact
from commands.deciding import Context, check_goes_on
from commands.remapping import Place, Preview, places, preview, remapped
from domain.custom_workflow import (
    NAME_MAX,
    PROJECTS_MAX,
    CustomWorkflow,
    WorkflowAdopted,
    WorkflowChanged,
    WorkflowCreated,
    WorkflowDropped,
)
from domain.errors import Conflict, Invalid, NotFound
from domain.policy import Action
from domain.project import Project, ProjectWorkflowChanged
from domain.text import check_line
from domain.workflow import STANDARD, Workflow
from domain.workflow_check import check, remapping


@dataclass(frozen=True, slots=True)
class WorkflowCommand:
    """A command on one workflow."""

    workflow_id: str

    @property
    def stream_id(self) -> str:
        """The workflow's own stream."""
        return self.workflow_id


@dataclass(frozen=True, slots=True)
class CreateWorkflow(WorkflowCommand):
    """Make a workflow; `workflow_id` is new."""

    name: str
    definition: Workflow

    def decide(self, context: Context) -> Sequence[Fact]:
        """The creation. Raises `Invalid` `workflow.invalid`."""
        event = WorkflowCreated(name=_name(self.name), definition=check(self.definition))
        context.allowed(Action.WORKFLOW_CREATE)
        context.begin(self.workflow_id)
        return [Fact(self.workflow_id, event)]


@dataclass(frozen=True, slots=True)
class ChangeWorkflow(WorkflowCommand):
    """Make a workflow another one. `mapping` says where tasks go whose statuses it loses."""

    name: str
    definition: Workflow
    mapping: Mapping[str, str] = field(default_factory=dict)

    def decide(self, context: Context) -> Sequence[Fact]:
        """The change, with all tasks that it maps; nothing where it is this one already. Raises as `remapped` does."""
        workflow, _, found = self._looked(context)
        if (workflow.name, workflow.definition) == (self.name, self.definition):
            return []
        event = WorkflowChanged(name=self.name, definition=self.definition, mapping=dict(self.mapping))
        return [Fact(self.workflow_id, event), *remapped(context, found, self.definition)]

    def preview(self, context: Context) -> Preview:
        """What it would do. Raises `NotFound`, `Forbidden`, `Invalid`."""
        _, projects, found = self._looked(context)
        return preview(context, projects, found, self.definition)

    def _looked(self, context: Context) -> tuple[CustomWorkflow, list[Project], list[Place]]:
        _name(self.name)
        check(self.definition)
        context.allowed(Action.WORKFLOW_CHANGE)
        workflow = context.workflow(self.workflow_id)
        statuses = remapping(workflow.definition, self.definition, self.mapping)
        context.need(workflow.projects)
        read = [context.read(project_id, Project) for project_id in workflow.projects]
        projects = [project for project in read if project is not None]
        return workflow, projects, places(context, projects, statuses)


@dataclass(frozen=True, slots=True)
class ChooseWorkflow:
    """Let a project live by a workflow, or by the standard one. `mapping` leads from statuses that this one lacks."""

    project_id: str
    workflow_id: str | None
    mapping: Mapping[str, str] = field(default_factory=dict)

    @property
    def stream_id(self) -> str:
        """The project's own stream."""
        return self.project_id

    def decide(self, context: Context) -> Sequence[Fact]:
        """The choice, with all tasks that it maps. Raises as `remapped` does, `Invalid` where there is no such one."""
        project = context.project(self.project_id, Action.PROJECT_EDIT)
        check_goes_on(project)
        adopting, new = self._adopting(context)
        statuses = remapping(context.workflow_of(project), new, self.mapping)
        if self.workflow_id == project.workflow_id:
            return []
        event = ProjectWorkflowChanged(workflow_id=self.workflow_id, mapping=dict(self.mapping))
        changed = [Fact(project.id, event), *dropping(context, project), *adopting]
        return [*changed, *remapped(context, places(context, [project], statuses), new)]

    def _adopting(self, context: Context) -> tuple[list[Fact], Workflow]:
        if self.workflow_id is None:
            return [], STANDARD
        try:
            workflow = context.workflow(self.workflow_id)
        except NotFound as error:
            detail = "must be the id of a workflow of this workspace, or null"
            raise Invalid("workflow.not_found", "/workflow_id", detail, self.workflow_id) from error
        if self.project_id not in workflow.projects and len(workflow.projects) >= PROJECTS_MAX:
            raise Conflict("workflow.too_many_projects", f"at most {PROJECTS_MAX} projects live by one workflow")
        return [Fact(workflow.id, WorkflowAdopted(project_id=self.project_id))], workflow.definition


def dropping(context: Context, project: Project) -> list[Fact]:
    """A project lives no longer by the workflow that it has, if that is one that managers made."""
    if project.workflow_id is None:
        return []
    return [Fact(context.workflow(project.workflow_id).id, WorkflowDropped(project_id=project.id))]


def _name(name: str) -> str:
    return check_line(name, "/name", most=NAME_MAX)
