"""Making a template of tasks: it says what they are, as far as the actor sees them."""

from datetime import date

import pytest
from hypothesis import given as example
from hypothesis import strategies as st
from msgspec.structs import replace

from commands.checklist import AddItem
from commands.dependencies import LinkTasks
from commands.task import AssignTask, CreateTask
from commands.template import CreateTemplate
from commands.templating import MakeTemplate
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.placeholders import plain
from domain.project import ProjectArchived
from domain.task_links import LinkType
from domain.template import Definition, Template, TemplateCreated, TemplateTask, Timing, Whom
from tests.domain.given import ADA, BOB, EVE, NOBODY, OTHER, PROJECT, TASK, Given, person, rejected
from tests.domain.templates import DRAWER, MONDAY, TEMPLATE, library, making, named

PART = "00000000-0000-7000-8000-000000000103"


def of(given: Given, command: MakeTemplate, by: str = ADA) -> Definition:
    """The template that is made."""
    [event] = given.when(command, by)
    assert isinstance(event, TemplateCreated)
    return event.definition


def test_days_become_distances_from_the_first_of_them() -> None:
    given = library().does(CreateTask(TASK, "all", due_at="2027-01-08T16:30:00.000000Z"))
    given.does(CreateTask(OTHER, "part", parent_id=TASK, due_on="2027-01-06", due_zone="Asia/Tokyo"))
    given.does(CreateTask(PART, "start", parent_id=TASK, start_at="2027-01-06T23:30:00.000000Z"))
    tasks = of(given, MakeTemplate(DRAWER, TASK, "All", zone="Europe/Berlin")).tasks
    assert [(task.start, task.due) for task in tasks] == [
        (None, Timing(offset="+2d", time="17:30")),
        (None, Timing(offset="+0d")),
        (Timing(offset="+1d", time="00:30"), None),  # in Berlin the day after has begun
    ]
    later = of(given, MakeTemplate(DRAWER, TASK, "All", start=date(2027, 1, 18), zone="UTC")).tasks
    assert [task.due for task in later][:2] == [Timing(offset="-10d", time="16:30"), Timing(offset="-12d")]


def test_a_beginning_that_no_distance_reaches_is_refused_by_its_name() -> None:
    given = library().does(CreateTask(TASK, "all", due_at="2027-01-08T16:30:00.000000Z"))
    with rejected("template.date", Invalid) as refused:
        given.when(MakeTemplate(DRAWER, TASK, "All", start=date(1, 1, 2)))
    assert [error["pointer"] for error in refused.value.extra["errors"]] == ["/start"]


def test_people_are_kept_only_where_that_is_asked_for() -> None:
    given = library().does(CreateTask(TASK, "all", assignee=person(EVE)))
    assert of(given, MakeTemplate(DRAWER, TASK, "All")).tasks[0].assignee is None
    kept = of(given, MakeTemplate(DRAWER, TASK, "All", assignees=True)).tasks[0].assignee
    assert kept == Whom(type="user", id=EVE)


def test_dependencies_among_them_are_kept_and_no_others() -> None:
    given = library().does(CreateTask(TASK, "all")).does(CreateTask(OTHER, "a", parent_id=TASK))
    given.does(CreateTask(PART, "b", parent_id=TASK)).does(CreateTask(NOBODY, "elsewhere"))
    given.does(LinkTasks(PART, LinkType.BLOCKED_BY, OTHER)).does(LinkTasks(OTHER, LinkType.BLOCKED_BY, NOBODY))
    tasks = of(given, MakeTemplate(DRAWER, TASK, "All")).tasks
    assert [(task.ref, task.parent, task.depends_on) for task in tasks] == [
        ("t1", None, ()),
        ("t2", "t1", ()),
        ("t3", "t1", ("t2",)),
    ]


def test_what_the_actor_does_not_see_is_left_out_with_all_below_it() -> None:
    given = library().does(CreateTask(TASK, "all")).does(AssignTask(TASK, person(BOB)))
    given.does(CreateTask(OTHER, "secret", parent_id=TASK)).does(CreateTask(PART, "below", parent_id=OTHER))
    given.does(AssignTask(PART, person(BOB)))
    assert [task.title for task in of(given, MakeTemplate(DRAWER, TASK, "All"), BOB).tasks] == ["all"]
    assert [task.title for task in of(given, MakeTemplate(DRAWER, TASK, "All")).tasks] == ["all", "secret", "below"]


def test_who_does_not_see_the_task_or_manages_no_templates_makes_none() -> None:
    given = library().does(CreateTask(TASK, "all"))
    with rejected("task.not_found", NotFound):
        given.when(MakeTemplate(DRAWER, TASK, "All"), by=BOB)
    given.does(AssignTask(TASK, person(EVE)))
    with rejected("auth.forbidden", Forbidden):
        given.when(MakeTemplate(DRAWER, TASK, "All"), by=EVE)


def test_an_archived_project_gives_its_tasks_as_templates() -> None:
    given = library().does(CreateTask(TASK, "all", project_id=PROJECT)).happened(PROJECT, ProjectArchived())
    assert of(given, MakeTemplate(DRAWER, TASK, "All"), BOB).tasks[0].title == "all"


def test_more_tasks_than_a_template_has_are_refused() -> None:
    given = library().does(CreateTask(TASK, "all"))
    for n in range(3):
        above = named(f"above {n}")
        given.does(CreateTask(above, "above", parent_id=TASK))
        for m in range(67):
            given.does(CreateTask(named(f"{n} {m}"), "part", parent_id=above))
    with rejected("template.too_many_tasks", Conflict) as refused:
        given.when(MakeTemplate(DRAWER, TASK, "All"))
    assert refused.value.extra["tasks"] == 205


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with rejected("value.time_zone", Invalid):
        library().when(MakeTemplate(DRAWER, TASK, "All", zone=zone))


TITLES = st.text("ab{}\\ ", min_size=1, max_size=8).filter(str.strip)


@st.composite
def trees(draw: st.DrawFn) -> tuple[TemplateTask, ...]:
    """The tasks of a template with one root, as making a template of tasks writes them down."""
    tasks: list[TemplateTask] = []
    for n in range(1, draw(st.integers(1, 7)) + 1):
        before = [each.ref for each in tasks]
        parent = draw(st.sampled_from(before)) if before else None
        siblings = [each.ref for each in tasks if each.parent == parent and parent is not None]
        waits = draw(st.lists(st.sampled_from(siblings), max_size=1)) if siblings else []
        tasks.append(
            TemplateTask(
                ref=f"t{n}",
                title=plain(draw(TITLES)),
                description=plain(draw(st.text("{}\\a", max_size=6))),
                tags=draw(st.sampled_from([(), ("x",), (plain("{{y}}"),)])),
                checklist=draw(st.sampled_from([(), ("look",), (plain("{{look}}"), "do")])),
                estimate_minutes=draw(st.sampled_from([None, 30])),
                due=draw(st.sampled_from([None, Timing(offset="+3d"), Timing(offset="+40d", time="09:05")])),
                parent=parent,
                depends_on=tuple(waits),
            )
        )
    return tuple(tasks)


@example(trees(), st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
def test_the_template_of_tasks_that_a_template_made_is_that_template(
    tasks: tuple[TemplateTask, ...], zone: str
) -> None:
    given = library().does(CreateTemplate(DRAWER, Definition(name="All", tasks=tasks)))
    given.does(making(template_id=DRAWER, variables={}, roles={}, zone=zone))
    again = of(given, MakeTemplate(TEMPLATE, named("task:t1"), "All", start=MONDAY, zone=zone)).tasks
    refs = {each.title + str(n): each.ref for n, each in enumerate(again)}
    assert len(refs) == len(tasks)
    assert shape(again) == shape(tasks)
    state = given.state(DRAWER)
    assert isinstance(state, Template)


def shape(tasks: tuple[TemplateTask, ...]) -> list[str]:
    """The tasks without what they are called, in an order that follows from what they say."""
    by_ref = {task.ref: task for task in tasks}

    def way(task: TemplateTask) -> tuple[str, ...]:
        said = repr(replace(task, ref="", parent=None, depends_on=()))
        waits = tuple(sorted(repr(replace(by_ref[ref], ref="", parent=None, depends_on=())) for ref in task.depends_on))
        above = () if task.parent is None else way(by_ref[task.parent])
        return (*above, said, *waits)

    return sorted(map(repr, map(way, tasks)))


def test_items_of_checklists_are_kept_in_their_order_unchecked() -> None:
    given = library().does(CreateTask(TASK, "all"))
    for text in ("one", "{{two}}"):
        given.does(AddItem(TASK, named(text), text))
    assert of(given, MakeTemplate(DRAWER, TASK, "All")).tasks[0].checklist == ("one", "\\{{two}}")
