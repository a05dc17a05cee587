"""Writing templates down, changing and deleting them: who may, and what is a good one."""

from typing import Any

import pytest
from hypothesis import given as example
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from commands.template import ChangeTemplate, CreateTemplate, DeleteTemplate
from domain.errors import Forbidden, Invalid, NotFound
from domain.events import Erased
from domain.template import (
    ERASED_NAME,
    Definition,
    Template,
    TemplateChanged,
    TemplateCreated,
    TemplateDeleted,
    TemplateTask,
    Timing,
    Variable,
    VariableKind,
    Whom,
)
from domain.template_check import ALL_ITEMS_MAX, ALL_LINKS_MAX, TASKS_MAX, TEXT_SUM_MAX, check
from tests.domain.given import ADA, BOB, EVE, MAX, NOBODY, Given, rejected
from tests.domain.templates import DRAWER, ONBOARDING, TEMPLATE, TREE, library


def the_template(given: Given) -> Template:
    template = given.state(TEMPLATE)
    assert isinstance(template, Template)
    return template


def task(ref: str, **fields: Any) -> TemplateTask:
    return TemplateTask(**{"ref": ref, "title": "write", **fields})


def of(*tasks: TemplateTask, **fields: Any) -> Definition:
    return Definition(**{"name": "Any", "tasks": tasks, **fields})


def pointers(refused: Invalid) -> list[str]:
    return [error["pointer"] for error in refused.extra["errors"]]


@pytest.mark.parametrize("by", [ADA, MAX, BOB], ids=["an admin", "a manager", "a lead of a team"])
def test_those_who_manage_templates_write_change_and_delete_them(by: str) -> None:
    given = library()
    assert given.when(CreateTemplate(DRAWER, ONBOARDING), by) == [TemplateCreated(**asdict(ONBOARDING))]
    assert given.when(ChangeTemplate(TEMPLATE, name="New"), by) == [
        TemplateChanged(**asdict(replace(ONBOARDING, name="New")))
    ]
    assert given.when(DeleteTemplate(TEMPLATE), by) == [TemplateDeleted()]


def test_others_do_not() -> None:
    given = library()
    for command in (CreateTemplate(DRAWER, ONBOARDING), ChangeTemplate(TEMPLATE, name="New"), DeleteTemplate(TEMPLATE)):
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=EVE)
        assert EVE in given.reads  # whoever becomes a lead meanwhile is judged anew


def test_a_change_to_what_it_says_already_is_none() -> None:
    given = library()
    assert given.when(ChangeTemplate(TEMPLATE, **asdict(ONBOARDING))) == []
    assert given.when(ChangeTemplate(TEMPLATE)) == []


def test_a_change_holds_the_whole_and_is_the_next_version() -> None:
    given = library().does(ChangeTemplate(TEMPLATE, description="Other."), by=BOB)
    template = the_template(given)
    assert (template.version, template.definition) == (2, replace(ONBOARDING, description="Other."))
    assert template.created_by == ADA


def test_what_is_deleted_is_not_there() -> None:
    given = library().does(DeleteTemplate(TEMPLATE))
    assert the_template(given).deleted_at is not None
    for id_ in (TEMPLATE, NOBODY):
        for command in (DeleteTemplate(id_), ChangeTemplate(id_, name="New")):
            with rejected("template.not_found", NotFound):
                given.when(command)


def test_what_was_erased_of_a_template_leaves_what_was_before() -> None:
    given = library().happened(TEMPLATE, Erased(name="template.changed"))
    assert the_template(given).definition == ONBOARDING
    assert the_template(given).version == 2
    given.happened(DRAWER, Erased(name="template.created"), Erased(name="template.deleted"))
    erased = given.state(DRAWER)
    assert isinstance(erased, Template)
    assert (erased.name, erased.tasks, erased.version) == (ERASED_NAME, (), 2)
    assert erased.deleted_at is not None


def test_the_roles_of_a_template_are_those_that_its_tasks_name() -> None:
    tasks = (task("a", assignee=Whom(role="x")), task("b", assignee=Whom(role="y")), task("c", assignee=Whom(role="x")))
    assert of(*tasks, task("d", assignee=Whom(type="user", id=EVE))).roles == ("x", "y")


BAD: dict[str, tuple[Definition, str]] = {
    "no task": (of(), "/tasks"),
    "too many tasks": (of(*(task(f"t{n}") for n in range(TASKS_MAX + 1))), "/tasks"),
    "a place for nothing": (of(task("a", title="{{who}}")), "/tasks/0/title"),
    "a place with a strange name": (of(task("a", description="{{a.b}}")), "/tasks/0/description"),
    "a place in a tag": (of(task("a", tags=("x", "{{who}}"))), "/tasks/0/tags/1"),
    "a place in an item": (of(task("a", checklist=("{{}}",))), "/tasks/0/checklist/0"),
    "two of a name": (of(task("a"), task("a")), "/tasks/1/ref"),
    "two variables of a name": (
        of(task("a"), variables=(Variable(name="x"), Variable(name="x"))),
        "/variables/1/name",
    ),
    "no name of a variable": (of(task("a"), variables=(Variable(name="a b"),)), "/variables/0/name"),
    "no ref": (of(task("a b")), "/tasks/0/ref"),
    "a default that nobody sees": (
        of(task("a"), variables=(Variable(name="x", required=True, default="y"),)),
        "/variables/0/default",
    ),
    "an anchor that is no date": (
        of(task("a", due=Timing(offset="+1d", anchor="x")), variables=(Variable(name="x"),)),
        "/tasks/0/due/anchor",
    ),
    "an anchor that is not there": (of(task("a", start=Timing(offset="+1d", anchor="x"))), "/tasks/0/start/anchor"),
    "a parent that is not there": (of(task("a", parent="b")), "/tasks/0/parent"),
    "a dependency that is not there": (of(task("a", depends_on=("b",))), "/tasks/0/depends_on/0"),
    "a dependency on itself": (of(task("a", depends_on=("a",))), "/tasks/0/depends_on/0"),
    "the same dependency twice": (of(task("a"), task("b", depends_on=("a", "a"))), "/tasks/1/depends_on/1"),
    "below itself": (of(task("a", parent="b"), task("b", parent="a")), "/tasks/0/parent"),
    "too deep": (of(task("t0"), *(task(f"t{n}", parent=f"t{n - 1}") for n in range(1, 9))), "/tasks/8/parent"),
    "too many below one": (of(task("a"), *(task(f"t{n}", parent="a") for n in range(101))), "/tasks/0"),
    "too many waiting for one": (of(task("a"), *(task(f"t{n}", depends_on=("a",)) for n in range(101))), "/tasks/0"),
    "round in a circle": (of(task("a", depends_on=("b",)), task("b", depends_on=("a",))), "/tasks/0/depends_on"),
    "waiting for its own parent": (of(task("a"), task("b", parent="a", depends_on=("a",))), "/tasks/0/depends_on"),
    "too many items": (
        of(*(task(f"t{n}", checklist=("x",) * 200) for n in range(ALL_ITEMS_MAX // 200)), task("a", checklist=("x",))),
        "/tasks",
    ),
    "too many dependencies": (
        of(*(task(f"t{n}", depends_on=tuple(f"t{m}" for m in range(n))[:20]) for n in range(ALL_LINKS_MAX // 20 + 20))),
        "/tasks",
    ),
    "too much text": (
        of(*(task(f"t{n}", description="x" * 100_000) for n in range(TEXT_SUM_MAX // 100_000))),
        "/tasks",
    ),
    "an estimate of nothing": (of(task("a", estimate_minutes=0)), "/tasks/0/estimate_minutes"),
}


@pytest.mark.parametrize(("definition", "pointer"), BAD.values(), ids=BAD)
def test_what_does_not_fit_together_is_pointed_at(definition: Definition, pointer: str) -> None:
    with rejected("template.invalid", Invalid) as refused:
        library().when(CreateTemplate(DRAWER, definition))
    assert pointer in pointers(refused.value)


def test_everything_of_a_kind_is_told_at_once() -> None:
    definition = of(task("a", title="{{x}} {{y}}", parent="b", depends_on=("c",)), task("d", title="{{z}}"))
    with rejected("template.invalid", Invalid) as refused:
        check(definition)
    assert pointers(refused.value) == [
        *("/tasks/0/title", "/tasks/0/title", "/tasks/0/parent", "/tasks/0/depends_on/0", "/tasks/1/title"),
    ]


@pytest.mark.parametrize(
    ("kind", "default", "code"),
    [
        (VariableKind.NUMBER, "3", "template.value"),
        (VariableKind.NUMBER, True, "template.value"),
        (VariableKind.NUMBER, float("nan"), "template.value"),
        (VariableKind.NUMBER, float("inf"), "template.value"),
        (VariableKind.NUMBER, 10**400, "template.value"),
        (VariableKind.DATE, 3, "template.value"),
        (VariableKind.DATE, "2027-02-30", "value.day"),
        (VariableKind.DATE, "20270201", "value.day"),
        (VariableKind.TEXT, 3, "template.value"),
        (VariableKind.TEXT, "x" * 501, "value.length"),
        (VariableKind.TEXT, "\x00", "value.character"),
    ],
)
def test_a_default_is_of_the_kind_of_its_variable(kind: VariableKind, default: Any, code: str) -> None:
    with rejected(code, Invalid) as refused:
        check(of(task("a"), variables=(Variable(name="x", kind=kind, default=default),)))
    assert pointers(refused.value) == ["/variables/0/default"]


REFS = st.sampled_from("abcde")
NAMES = st.sampled_from(["x", "y", "1", ""])
ANY = st.builds(
    Definition,
    name=st.just("Any"),
    variables=st.lists(
        st.builds(
            Variable,
            name=NAMES,
            kind=st.sampled_from(VariableKind),
            required=st.booleans(),
            default=st.none() | st.sampled_from(["2027-01-01", 1, 0.5]),
        ),
        max_size=3,
    ).map(tuple),
    tasks=st.lists(
        st.builds(
            TemplateTask,
            ref=REFS,
            title=st.sampled_from(["write", "{{x}}", "{{y}} {{1}}", "\\{{z}}"]),
            parent=st.none() | REFS,
            depends_on=st.lists(REFS, max_size=2).map(tuple),
            due=st.none() | st.builds(Timing, offset=st.sampled_from(["+1d", "x"]), anchor=st.none() | NAMES),
        ),
        max_size=5,
    ).map(tuple),
)


@example(ANY)
def test_any_template_is_either_good_or_refused_with_the_place(definition: Definition) -> None:
    refused = fault_of(definition)
    if refused is None:
        assert {task.parent for task in definition.tasks} <= {None, *(task.ref for task in definition.tasks)}
    else:
        assert all(pointer.startswith(("/tasks", "/variables")) for pointer in pointers(refused))


def fault_of(definition: Definition) -> Invalid | None:
    """Why a template is refused."""
    try:
        check(definition)
    except Invalid as refused:
        return refused
    return None


def test_the_template_of_these_tests_is_a_good_one() -> None:
    assert check(ONBOARDING).tasks == TREE
