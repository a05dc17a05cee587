"""Templates, and what tests of them begin with."""

from datetime import date
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from commands.instantiating import Instantiate
from commands.template import CreateTemplate
from domain.project import ProjectRole
from domain.task import Task
from domain.team import TeamRole
from domain.template import Definition, TemplateTask, Timing, Variable, VariableKind, Whom
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, MAX, PROJECT, TEAM, ZOE, Given

TEMPLATE, DRAWER = (f"00000000-0000-7000-8000-00000000050{n}" for n in range(1, 3))
MADE = "00000000-0000-7000-8000-000000000601"
MONDAY = date(2027, 1, 4)

TREE = (
    TemplateTask(ref="all", title="Welcome {{who}}", due=Timing(offset="+5bd", anchor="first_day")),
    TemplateTask(
        ref="laptop",
        title="Order {{laptops}} laptop",
        description="For {{who}}.",
        tags=("onboarding", "{{team}}"),
        estimate_minutes=30,
        parent="all",
        assignee=Whom(role="office"),
        start=Timing(offset="+0d"),
        due=Timing(offset="+3d", time="17:00"),
        checklist=("Ask {{who}}", "Order it"),
    ),
    TemplateTask(ref="accounts", title="Make accounts", parent="all", depends_on=("laptop",)),
)
ONBOARDING = Definition(
    name="Onboarding",
    description="Before somebody begins.",
    variables=(
        Variable(name="who", required=True),
        Variable(name="first_day", kind=VariableKind.DATE),
        Variable(name="laptops", kind=VariableKind.NUMBER, default=1),
        Variable(name="team"),
    ),
    tasks=TREE,
)
SAID: dict[str, Any] = {"variables": {"who": "Eve"}, "roles": {"office": None}}


def library() -> Given:
    """Ada is the admin, Max a manager, Bob leads a team, in which Eve is, and edits a project, and Zoe looks on at it.

    There is a template.
    """
    given = Given().member(ADA, Role.ADMIN).member(MAX, Role.MANAGER).member(BOB).member(EVE).member(ZOE)
    given.team(TEAM, {BOB: TeamRole.LEAD, EVE: TeamRole.MEMBER})
    given.project(PROJECT, {BOB: ProjectRole.EDITOR, ZOE: ProjectRole.VIEWER})
    return given.does(CreateTemplate(TEMPLATE, ONBOARDING))


def making(**fields: Any) -> Instantiate:
    """Making tasks of the template on a Monday; ids follow from names."""
    wish = {"instantiation_id": MADE, "template_id": TEMPLATE, "ids": named, "start": MONDAY, **SAID, **fields}
    return Instantiate(**wish)


def named(name: str) -> str:
    """An id that follows from a name."""
    return str(uuid5(NAMESPACE_OID, name))


def task_of(given: Given, ref: str) -> Task:
    """The task that was made of a task of the template."""
    return given.the_task(named(f"task:{ref}"))
