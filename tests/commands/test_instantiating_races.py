"""Many make tasks of templates at once: each gets all of its tasks or none, and no rule over a set is broken."""

import asyncio
from collections import Counter
from dataclasses import replace as with_fields
from datetime import date
from typing import Any

from msgspec.structs import replace

from commands.deciding import Command
from commands.ids import named_ids, new_id
from commands.instantiating import Instantiate
from commands.project import CreateProject
from commands.task import CreateTask
from commands.template import ChangeTemplate, CreateTemplate, DeleteTemplate
from commands.workflow import ChooseWorkflow, CreateWorkflow
from domain.events import Recorded
from domain.instantiation import Instantiation
from domain.task import Task, TaskCreated
from domain.template import Definition, TemplateDeleted, TemplateTask
from domain.workflow import STANDARD
from tests.commands.desk import Connection, Desk, Team, log_of, states
from tests.commands.test_workflow_races import told
from tests.domain.boards import check_boards

WRITERS = 12
LIMIT = 16
TREE = Definition(
    name="Any",
    tasks=(
        TemplateTask(ref="a", title="all"),
        TemplateTask(ref="b", title="first", parent="a", checklist=("look", "do")),
        TemplateTask(ref="c", title="second", parent="a", depends_on=("b",)),
    ),
)


async def template(desk: Desk, team: Team, definition: Definition = TREE) -> str:
    template_id = new_id()
    await desk.do(team, team.admin, CreateTemplate(template_id, definition))
    return template_id


async def project(desk: Desk, team: Team) -> str:
    project_id = new_id()
    await desk.do(team, team.admin, CreateProject(project_id, "Application", "APP"))
    return project_id


def making(template_id: str, **fields: Any) -> Instantiate:
    return Instantiate(new_id(), template_id, named_ids(), date(2027, 1, 4), **fields)


def made(log: list[Recorded]) -> list[Instantiation]:
    """What was made, as often as it was."""
    return [state for state in states(log).values() if isinstance(state, Instantiation)]


def tasks(log: list[Recorded]) -> dict[str, Task]:
    """The tasks as they are in the end."""
    return {id_: state for (id_, _), state in states(log).items() if isinstance(state, Task)}


async def test_keys_stay_dense_when_many_make_tasks_in_one_project(desk: Desk, owner: Connection, team: Team) -> None:
    template_id, project_id = await template(desk, team), await project(desk, team)
    wishes = [making(template_id, project_id=project_id) for _ in range(WRITERS)]
    alone = [CreateTask(new_id(), "alone", project_id=project_id) for _ in range(WRITERS)]
    commands: list[Command] = [command for pair in zip(wishes, alone, strict=True) for command in pair]
    verdicts = await told(desk.do(team, team.admin, command) for command in commands)
    assert verdicts == {"done": 2 * WRITERS}
    log = await log_of(owner, team.workspace_id)
    keys = [int(task.key.removeprefix("APP-")) for task in tasks(log).values() if task.key is not None]
    assert sorted(keys) == list(range(1, 4 * WRITERS + 1))
    check_boards({id_: state for (id_, _), state in states(log).items()})


async def test_a_limit_lets_in_all_tasks_of_a_template_or_none(desk: Desk, owner: Connection, team: Team) -> None:
    template_id, project_id, workflow_id = await template(desk, team), await project(desk, team), new_id()
    first, *others = STANDARD.statuses
    narrow = replace(STANDARD, statuses=(replace(first, limit=LIMIT), *others))
    await desk.do(team, team.admin, CreateWorkflow(workflow_id, "Narrow", narrow))
    await desk.do(team, team.admin, ChooseWorkflow(project_id, workflow_id))
    verdicts = await told(desk.do(team, team.admin, making(template_id, project_id=project_id)) for _ in range(WRITERS))
    assert verdicts == {"done": LIMIT // 3, "workflow.limit_reached": WRITERS - LIMIT // 3}
    log = await log_of(owner, team.workspace_id)
    assert len(made(log)) == LIMIT // 3
    assert Counter(task.status for task in tasks(log).values()) == {"todo": LIMIT // 3 * 3}


async def test_nothing_is_made_of_a_template_after_it_was_deleted(desk: Desk, owner: Connection, team: Team) -> None:
    template_id = await template(desk, team)
    commands: list[Command] = [making(template_id) for _ in range(WRITERS)]
    commands.insert(WRITERS // 2, DeleteTemplate(template_id))
    verdicts = await told(desk.do(team, team.admin, command) for command in commands)
    assert verdicts.keys() <= {"done", "template.not_found"}
    log = await log_of(owner, team.workspace_id)
    deleted = next(event.position for event in log if isinstance(event.event, TemplateDeleted))
    assert all(event.position < deleted for event in log if isinstance(event.event, TaskCreated))
    assert len(tasks(log)) == 3 * (verdicts["done"] - 1)


async def test_tasks_are_made_of_the_version_that_was_the_last_one_then(
    desk: Desk, owner: Connection, team: Team
) -> None:
    template_id = await template(desk, team)
    changes = [ChangeTemplate(template_id, tasks=(TemplateTask(ref=f"t{n}", title="other"),)) for n in range(4)]
    commands: list[Command] = [making(template_id) for _ in range(WRITERS)]
    for n, change in enumerate(changes):
        commands.insert(3 * n + 1, change)
    await asyncio.gather(*(desk.do(team, team.admin, command) for command in commands))
    log = await log_of(owner, team.workspace_id)
    known = states(log)
    saved: dict[int, tuple[str, ...]] = {}
    for event in log:
        if event.stream_id == template_id:
            state: Any = known[template_id, event.version]
            saved[event.version] = tuple(task.ref for task in state.tasks)
        found = known.get((event.stream_id, event.version))
        if isinstance(found, Instantiation):
            assert found.template_version == max(saved)
            assert tuple(found.tasks) == saved[max(saved)]


async def test_a_retry_of_the_same_making_has_one_effect(desk: Desk, owner: Connection, team: Team) -> None:
    template_id = await template(desk, team)
    wishes = [with_fields(making(template_id), instantiation_id=new_id()) for _ in range(6)]
    receipts = await asyncio.gather(
        *(desk.do(team, team.admin, wish, key="once", fingerprint="f" * 64) for wish in wishes)
    )
    assert len({receipt.stream_id for receipt in receipts}) == 1
    log = await log_of(owner, team.workspace_id)
    assert (len(made(log)), len(tasks(log))) == (1, 3)
