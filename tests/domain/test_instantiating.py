"""Making tasks of a template: what is made, what is refused, and that it is what the commands on tasks make."""

from datetime import date
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import given as example
from hypothesis import strategies as st
from msgspec.structs import replace

from commands.appending import Fact
from commands.instantiating import Instantiate
from commands.task import CreateTask
from commands.template import ChangeTemplate, CreateTemplate, DeleteTemplate
from commands.workflow import ChangeWorkflow
from domain.checklist import Checklist
from domain.errors import Conflict, Forbidden, Invalid, NotFound, Rejection
from domain.events import Erased
from domain.instantiation import Instantiation, InstantiationCompleted
from domain.project import ProjectArchived, ProjectRole
from domain.tagbook import TagRenamed, book_id
from domain.talk import Part, stream_of
from domain.task import Task, TaskCreated
from domain.task_fields import FromTemplate, Priority
from domain.task_links import Link, LinkType, Subtask
from domain.template import Definition, TemplateTask, Timing, Variable, VariableKind, Whom
from domain.user import Role
from tests.domain.boards import check_boards
from tests.domain.given import (
    ADA,
    BOB,
    EVE,
    FLOW,
    MAX,
    NOBODY,
    PROJECT,
    TASK,
    TEAM,
    WORKSPACE,
    ZOE,
    Given,
    person,
    rejected,
)
from tests.domain.reviewed import REVIEWED, project_of_reviews
from tests.domain.templates import MADE, MONDAY, ONBOARDING, TEMPLATE, library, making, named, task_of


def checklist_of(given: Given, ref: str) -> list[str]:
    state = given.state(stream_of(named(f"task:{ref}"), Part.CHECKLIST))
    return [item.text for item in state.items] if isinstance(state, Checklist) else []


def having(given: Given, *tasks: TemplateTask, **fields: Any) -> Given:
    """The template says this now, for people who are said nothing of."""
    changed = Definition(**{"name": "Any", "tasks": tasks, **fields})
    return given.does(ChangeTemplate(TEMPLATE, changed.name, changed.description, changed.variables, changed.tasks))


def boards_hold(given: Given) -> None:
    """Every task of a project is on the board of its status."""
    check_boards({id_: folded.state for id_, folded in given.folded.items() if folded.state is not None})


def task(ref: str, **fields: Any) -> TemplateTask:
    return TemplateTask(**{"ref": ref, "title": "write", **fields})


def pointers(refused: Rejection) -> list[str]:
    return [error["pointer"] for error in refused.extra["errors"]]


def test_the_tree_is_made_with_all_that_belongs_to_it() -> None:
    said = {"who": "Eve", "laptops": 2, "team": "ops", "first_day": "2027-02-01"}
    given = library().does(making(variables=said, roles={"office": person(EVE)}, zone="Europe/Berlin"), by=BOB)
    root, laptop, accounts = (task_of(given, ref) for ref in ("all", "laptop", "accounts"))
    assert (root.title, laptop.title, laptop.description) == ("Welcome Eve", "Order 2 laptop", "For Eve.")
    assert root.subtasks == (Subtask(laptop.id, False), Subtask(accounts.id, False))
    assert (laptop.parent_id, accounts.parent_id, root.parent_id) == (root.id, root.id, None)
    assert accounts.links == (Link(LinkType.BLOCKED_BY, laptop.id),)
    assert laptop.links == (Link(LinkType.BLOCKS, accounts.id),)
    assert (laptop.tags, laptop.estimate_minutes, laptop.assignee) == (("onboarding", "ops"), 30, person(EVE))
    assert checklist_of(given, "laptop") == ["Ask Eve", "Order it"]
    assert {each.created_by for each in (root, laptop, accounts)} == {BOB}


def test_days_are_counted_from_the_start_or_from_a_variable_in_a_zone() -> None:
    given = library().does(
        making(variables={"who": "Eve", "first_day": "2027-01-30"}, start=date(2027, 3, 27), zone="Europe/Berlin")
    )
    root, laptop, accounts = (task_of(given, ref) for ref in ("all", "laptop", "accounts"))
    assert (root.due_on, root.due_zone) == ("2027-02-05", "Europe/Berlin")  # the fifth working day after a Saturday
    assert laptop.start_at == "2027-03-26T23:00:00.000000Z"
    assert laptop.due_at == "2027-03-30T15:00:00.000000Z"  # 17:00, after clocks went forward
    assert (accounts.start_at, accounts.due_at, accounts.due_on, accounts.due_zone) == (None, None, None, None)


def test_a_day_that_nobody_said_is_none() -> None:
    given = library().does(making())
    assert task_of(given, "all").dates == (None, None, None, None)


def test_what_is_not_said_is_the_default_or_empty_and_an_empty_tag_is_none() -> None:
    given = library().does(making())
    assert task_of(given, "laptop").title == "Order 1 laptop"
    assert task_of(given, "laptop").tags == ("onboarding",)


def test_what_was_made_of_which_version_is_on_record() -> None:
    given = library().does(making(), by=BOB)
    made = given.state(MADE)
    assert isinstance(made, Instantiation)
    assert (made.template_id, made.template_version, made.created_by) == (TEMPLATE, 1, BOB)
    assert made.tasks == {ref: named(f"task:{ref}") for ref in ("all", "laptop", "accounts")}
    assert made.roots == (named("task:all"),)


def test_the_creation_of_each_task_says_of_which_version_it_was_made() -> None:
    created = [event for event in library().when(making()) if isinstance(event, TaskCreated)]
    assert [event.template for event in created] == [FromTemplate(TEMPLATE, 1)] * 3


def test_an_older_version_makes_the_tasks_that_it_said() -> None:
    given = library().does(ChangeTemplate(TEMPLATE, tasks=(task("new"),), variables=()))
    old = given.facts(making(version=1, older=ONBOARDING), by=ADA)
    assert isinstance(old[0].event, InstantiationCompleted)
    assert (old[0].event.template_version, list(old[0].event.tasks)) == (1, ["all", "laptop", "accounts"])
    given.does(making(variables={}, roles={}, version=2, older=None))
    assert task_of(given, "new").title == "write"


@pytest.mark.parametrize("version", [2, 3, 2**31 - 1])
def test_a_version_that_was_not_saved_makes_nothing(version: int) -> None:
    with rejected("template.version_not_found", NotFound):
        library().when(making(version=version))


def test_a_template_that_is_not_there_makes_nothing() -> None:
    given = library().does(DeleteTemplate(TEMPLATE))
    for template_id in (TEMPLATE, NOBODY, PROJECT):
        with rejected("template.not_found", NotFound):
            given.when(making(template_id=template_id))


def test_what_a_template_said_and_was_erased_makes_nothing() -> None:
    given = Given().member(ADA, Role.ADMIN).happened(TEMPLATE, Erased(name="template.created"))
    with rejected("template.erased", Conflict):
        given.when(making(variables={}, roles={}))


def test_whoever_may_create_tasks_makes_them_and_nobody_else() -> None:
    given = library().member(NOBODY, Role.AUDITOR)
    for by in (ADA, MAX, BOB, EVE):
        assert given.when(making(), by=by)
    with rejected("auth.forbidden", Forbidden):
        given.when(making(), by=NOBODY)


def test_the_template_is_an_expectation_and_so_is_all_that_its_tasks_read() -> None:
    given = library()
    facts = given.facts(making(project_id=PROJECT, roles={"office": person(ZOE)}), by=BOB)
    assert given.reads.keys() >= {TEMPLATE, BOB, ZOE, PROJECT, *(fact.stream_id for fact in facts)}
    assert given.reads[TEMPLATE] == 1
    logged = {stream_id: folded.version for stream_id, folded in given.folded.items()}
    assert all(version == logged.get(stream_id, 0) for stream_id, version in given.reads.items())


def test_in_a_project_all_are_numbered_and_on_its_board() -> None:
    given = library().does(CreateTask(TASK, "before", project_id=PROJECT), by=BOB)
    given.does(making(project_id=PROJECT), by=BOB)
    assert [task_of(given, ref).key for ref in ("all", "laptop", "accounts")] == ["APP-2", "APP-3", "APP-4"]
    boards_hold(given)
    given.does(CreateTask(NOBODY, "after", project_id=PROJECT), by=BOB)
    assert given.the_task(NOBODY).key == "APP-5"


def test_below_a_task_all_are_parts_of_it_and_in_its_project() -> None:
    given = library().does(CreateTask(TASK, "above", project_id=PROJECT), by=BOB)
    given.does(making(parent_id=TASK), by=BOB)
    assert given.the_task().subtasks == (Subtask(named("task:all"), False),)
    assert {task_of(given, ref).project_id for ref in ("all", "laptop", "accounts")} == {PROJECT}


def test_a_tag_is_written_as_it_is_called_today() -> None:
    given = library().happened(book_id(WORKSPACE), TagRenamed(name="onboarding", to="welcome"))
    assert task_of(given.does(making()), "laptop").tags == ("welcome",)


def test_tasks_come_in_the_order_of_the_template_but_after_those_they_are_below() -> None:
    given = having(library(), task("c", parent="b"), task("a"), task("b", parent="a"), task("d", parent="a"))
    given.does(making(variables={}, roles={}, project_id=PROJECT), by=BOB)
    assert [task_of(given, ref).key for ref in "abcd"] == ["APP-1", "APP-2", "APP-3", "APP-4"]


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        ({"variables": {}}, "template.variable_missing", "/variables/who"),
        ({"variables": {"who": None}}, "template.variable_missing", "/variables/who"),
        ({"variables": {"who": "Eve", "a/b": "x"}}, "template.variable_unknown", "/variables/a~1b"),
        ({"variables": {"who": 3}}, "template.value", "/variables/who"),
        ({"variables": {"who": "Eve", "laptops": "2"}}, "template.value", "/variables/laptops"),
        ({"variables": {"who": "Eve", "first_day": "tomorrow"}}, "value.day", "/variables/first_day"),
        ({"variables": {"who": "x" * 495}}, "template.too_long", "/variables"),
        ({"variables": {"who": "a\nb"}}, "value.character", "/variables"),
        ({"variables": {"who": "x", "team": "y" * 51}}, "template.too_long", "/variables"),
        ({"variables": {"who": "x", "team": " "}}, "value.blank", "/variables"),
        ({"roles": {}}, "template.role_missing", "/roles/office"),
        ({"roles": {"office": None, "chef": None}}, "template.role_unknown", "/roles/chef"),
        ({"roles": {"office": person(NOBODY)}}, "assignee.not_found", "/roles/office/id"),
        ({"zone": "Mars/Olympus"}, "value.time_zone", "/zone"),
        ({"start": date(9999, 12, 29)}, "template.date", "/start"),
        ({"variables": {"who": "x", "first_day": "9999-12-29"}}, "template.date", "/variables/first_day"),
        ({"project_id": NOBODY}, "project.not_found", "/project_id"),
        ({"parent_id": NOBODY}, "parent.not_found", "/parent_id"),
    ],
)
def test_what_does_not_fit_the_template_is_pointed_at(said: dict[str, Any], code: str, pointer: str) -> None:
    with rejected(code, Invalid) as refused:
        library().when(making(**said), by=BOB)
    assert pointers(refused.value) == [pointer]


def test_one_task_that_is_refused_refuses_all_and_is_named() -> None:
    given = library().member(NOBODY)
    with rejected("assignee.not_allowed", Forbidden) as refused:
        given.when(making(roles={"office": person(NOBODY)}), by=BOB)
    assert refused.value.extra["ref"] == "laptop"
    with rejected("assignee.not_in_project", Conflict) as refused:
        given.when(making(roles={"office": person(EVE)}, project_id=PROJECT), by=BOB)
    assert (refused.value.extra["ref"], refused.value.extra["field"]) == ("laptop", "/roles/office/id")


def test_the_limits_of_a_board_hold_for_all_together() -> None:
    given = project_of_reviews().does(CreateTemplate(TEMPLATE, Definition(name="Any", tasks=(task("a"), task("b")))))
    first, *others = REVIEWED.statuses
    narrow = replace(REVIEWED, statuses=(replace(first, limit=3), *others))
    given.does(ChangeWorkflow(FLOW, "Reviewed", narrow))
    for n in range(2):
        wish = making(variables={}, roles={}, project_id=PROJECT, ids=lambda name, n=n: named(f"{n}:{name}"))
        if n == 0:
            given.does(wish, by=EVE)
            boards_hold(given)
            continue
        with rejected("workflow.limit_reached", Conflict) as refused:
            given.when(wish, by=EVE)
        assert refused.value.extra["ref"] == "b"


def test_nothing_is_made_in_an_archived_project() -> None:
    given = library().happened(PROJECT, ProjectArchived())
    with rejected("project.is_archived", Conflict):
        given.when(making(project_id=PROJECT), by=BOB)


def test_a_tree_that_would_be_too_deep_below_a_task_is_refused() -> None:
    given = library().does(CreateTask(TASK, "above"))
    above = TASK
    for n in range(6):
        given.does(CreateTask(below := f"00000000-0000-7000-8000-0000000009{n:02}", "deeper", parent_id=above))
        above = below
    with rejected("task.too_deep", Conflict):
        given.when(making(parent_id=above))


def test_a_preview_shows_what_is_then_made() -> None:
    given = library()
    wish = making(project_id=PROJECT, roles={"office": person(ZOE)}, zone="Asia/Kolkata")
    preview, _ = wish.preview(given.context(BOB))
    facts = given.facts(wish, by=BOB)
    assert preview.events == len(facts)
    given.does(wish, by=BOB)
    for shown in preview.tasks:
        made = task_of(given, shown.ref)
        assert all(getattr(shown, name) == getattr(made, name) for name in ("key", "title", "due_at", "tags", "status"))
        assert (shown.assignee, list(shown.checklist)) == (made.assignee, checklist_of(given, shown.ref))


def test_what_tasks_are_given_to_by_name_needs_no_role() -> None:
    team = Whom(type="team", id=TEAM)
    given = having(library(), task("a", assignee=team), task("b", assignee=Whom(type="user", id=BOB)))
    given.does(making(variables={}, roles={}), by=BOB)
    assert (task_of(given, "a").assignee, task_of(given, "b").assignee) == (team.assignee, person(BOB))
    with rejected("assignee.not_allowed", Forbidden):
        given.when(making(variables={}, roles={}), by=ZOE)


def test_two_hundred_tasks_are_one_decision() -> None:
    tasks = tuple(
        task(
            f"t{n}",
            title="{{who}} " + str(n),
            parent=None if n < 4 else f"t{n // 4}" if n < 100 else f"t{n % 90 + 4}",
            depends_on=(f"t{n - 1}",) if n % 2 and n < 100 else (),
            checklist=("one", "two"),
        )
        for n in range(200)
    )
    given = having(library(), *tasks, variables=(Variable(name="who", default="x"),))
    given.does(making(variables={}, roles={}, project_id=PROJECT), by=BOB)
    assert {task_of(given, f"t{n}").key for n in range(200)} == {f"APP-{n}" for n in range(1, 201)}
    assert all(len(checklist_of(given, f"t{n}")) == 2 for n in range(200))
    boards_hold(given)


@st.composite
def good(draw: st.DrawFn) -> Definition:
    """A template that is a good one: parents and dependencies are among those before, no deeper than may be."""
    count = draw(st.integers(1, 8))
    tasks: list[TemplateTask] = []
    for n in range(count):
        before = [each.ref for each in tasks]
        parent = draw(st.none() | st.sampled_from(before)) if before else None
        ancestors, above = set(), parent
        while above is not None:
            ancestors.add(above)
            above = next(each.parent for each in tasks if each.ref == above)
        free = [ref for ref in before if ref not in ancestors]
        depends = draw(st.lists(st.sampled_from(free), max_size=3, unique=True)) if free else []
        tasks.append(
            task(
                f"t{n}",
                title=draw(st.sampled_from(["write", "{{x}}!", "{{ x }} {{y}} {{z}}", "\\{{x}}"])),
                tags=draw(st.sampled_from([(), ("{{y}}",), ("a", "a{{z}}")])),
                checklist=draw(st.sampled_from([(), ("- {{x}}", "b")])),
                priority=draw(st.sampled_from(Priority)),
                due=draw(st.none() | st.builds(Timing, offset=st.sampled_from(["+3d", "-2bd", "0w"]), time=st.none())),
                parent=parent,
                depends_on=tuple(depends),
            )
        )
    variables = (Variable(name="x"), Variable(name="y", kind=VariableKind.DATE), Variable(name="z", default="0"))
    return Definition(name="Any", variables=variables, tasks=tuple(tasks))


def decided(given: Given, wish: Instantiate) -> tuple[list[Fact], Invalid | None]:
    """What a making yields, or why it is refused."""
    try:
        return given.facts(wish, by=BOB), None
    except Invalid as refused:
        return [], refused


@example(good(), st.text("ab{}\\ \t%$", max_size=8), st.booleans())
def test_of_any_good_template_tasks_are_made_or_a_value_is_to_blame(
    definition: Definition, value: str, in_project: bool
) -> None:
    given = Given().member(ADA, Role.ADMIN).member(BOB).project(PROJECT, {BOB: ProjectRole.EDITOR})
    try:
        given.does(CreateTemplate(TEMPLATE, definition))
    except Invalid:  # a parent that waits for a part of what waits for it
        assume(False)
    wish = making(variables={"x": value}, roles={}, project_id=PROJECT if in_project else None)
    facts, refused = decided(given, wish)
    if refused is not None:
        assert pointers(refused) == ["/variables"]
    for fact in facts:
        given.happened(fact.stream_id, fact.event, by=BOB)
    made = {each.ref: task_of(given, each.ref) for each in definition.tasks} if facts else {}
    ids = {each.id: ref for ref, each in made.items()}
    for each in definition.tasks if facts else ():
        state: Task = made[each.ref]
        assert state.title == each.title.replace("\\{{x}}", "{{\0}}").replace("{{ x }}", "{{x}}").replace(
            "{{x}}", value
        ).replace("{{y}}", "").replace("{{z}}", "0").replace("{{\0}}", "{{x}}")
        assert ids.get(state.parent_id or "") == each.parent
        blockers = {ids[link.task_id] for link in state.links if link.type is LinkType.BLOCKED_BY}
        assert blockers == set(each.depends_on)
    if in_project:
        boards_hold(given)


def test_values_in_descriptions_are_bounded_together() -> None:
    tasks = tuple(task(f"t{n}", description="{{x}}" * 190) for n in range(30))
    given = having(library(), *tasks, variables=(Variable(name="x"),))
    with rejected("template.too_long", Invalid):
        given.when(making(variables={"x": "y" * 500}, roles={}))


def test_a_start_after_what_is_due_points_at_the_start() -> None:
    given = having(library(), task("a", start=Timing(offset="+5d"), due=Timing(offset="+1bd")))
    with rejected("dates.start_after_due", Invalid) as refused:
        given.when(making(variables={}, roles={}))
    assert pointers(refused.value) == ["/start"]


def test_it_begins_on_the_day_that_is_said() -> None:
    given = having(library(), task("a", due=Timing(offset="+0d")))
    given.does(making(variables={}, roles={}, start=MONDAY))
    assert task_of(given, "a").due_on == MONDAY.isoformat()
