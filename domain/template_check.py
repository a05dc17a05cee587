"""What makes a template a good one: of which tasks can be made, whatever values the variables have, but for lengths."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.checklist import ITEMS_MAX, TEXT_MAX
from domain.errors import Invalid, pointed
from domain.placeholders import NAME, places
from domain.task_fields import ESTIMATE_MAX
from domain.task_links import DEPTH_MAX, LINKS_MAX, SUBTASKS_MAX
from domain.template import NAME_MAX, Definition, TemplateTask, Timing, Variable, VariableKind
from domain.template_dates import check_offset, check_time
from domain.template_values import read_as
from domain.text import DESCRIPTION_MAX, TITLE_MAX, check_line, check_tags, check_text

TASKS_MAX: Final = 200
VARIABLES_MAX: Final = 50
ROLE_MAX: Final = 50  # characters
ALL_ITEMS_MAX: Final = 1_000  # of all checklists together
ALL_LINKS_MAX: Final = 500  # between all tasks together
TEXT_SUM_MAX: Final = 500_000  # characters of all texts together
FAULTS_MAX: Final = 50  # that are told at once

_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")


class Fault(NamedTuple):
    """What is wrong, and where."""

    pointer: str
    detail: str
    value: Any


Faults = Iterator[Fault]


def check(definition: Definition) -> Definition:
    """A template of which tasks can be made.

    Every place in a text, every anchor, parent and dependency names something that is there, and no task would have to
    be closed before itself. Raises `Invalid` `template.invalid`, which points at all that is wrong, or what the checks
    of texts raise.
    """
    check_line(definition.name, "/name", most=NAME_MAX)
    check_text(definition.description, "/description", most=DESCRIPTION_MAX)
    _refuse(_counts(definition))
    for index, variable in enumerate(definition.variables):
        _check_variable(variable, index)
    for index, task in enumerate(definition.tasks):
        _check_texts(task, index)
    _refuse(_names(definition))
    _refuse(_uses(definition))
    _refuse(_tree(definition.tasks))
    _refuse(_order(definition.tasks))
    return definition


def _refuse(faults: Faults) -> None:
    found = [fault for fault, _ in zip(faults, range(FAULTS_MAX), strict=False)]
    if found:
        error = Invalid("template.invalid", *found[0])
        error.extra = {"errors": [fault._asdict() for fault in found]}
        raise error


def _counts(definition: Definition) -> Faults:
    tasks = definition.tasks
    if not 1 <= len(tasks) <= TASKS_MAX:
        yield Fault("/tasks", f"must be 1 to {TASKS_MAX}, got {len(tasks)}", len(tasks))
    if len(definition.variables) > VARIABLES_MAX:
        yield Fault("/variables", f"must be at most {VARIABLES_MAX}", len(definition.variables))
    sums: Sequence[tuple[str, Callable[[TemplateTask], int], int]] = (
        ("items on checklists", lambda task: len(task.checklist), ALL_ITEMS_MAX),
        ("dependencies", lambda task: len(task.depends_on), ALL_LINKS_MAX),
        ("characters of text", _size, TEXT_SUM_MAX),
    )
    for what, size, most in sums:
        total = sum(map(size, tasks))
        if total > most:
            yield Fault("/tasks", f"all tasks together have at most {most} {what}, got {total}", total)


def _size(task: TemplateTask) -> int:
    return len(task.title) + len(task.description) + sum(map(len, task.tags)) + sum(map(len, task.checklist))


def _check_variable(variable: Variable, index: int) -> None:
    if NAME.fullmatch(variable.name) is None:
        detail = "must be 1 to 50 of A-Z, a-z, 0-9 and _, no digit first"
        raise Invalid("template.invalid", f"/variables/{index}/name", detail, variable.name[:200])
    if variable.default is None:
        return
    if variable.required:
        detail = "must be null where a value has to be given"
        raise Invalid("template.invalid", f"/variables/{index}/default", detail, variable.default)
    read_as(variable, variable.default, f"/variables/{index}/default")


def _check_texts(task: TemplateTask, index: int) -> None:
    """The texts before their places are filled; afterwards the commands check them as they check any."""
    at = f"/tasks/{index}"
    if _REF.fullmatch(task.ref) is None:
        detail = "must be 1 to 50 of A-Z, a-z, 0-9, _ and -"
        raise Invalid("template.invalid", f"{at}/ref", detail, task.ref[:200])
    check_line(task.title, f"{at}/title", most=TITLE_MAX)
    check_text(task.description, f"{at}/description", most=DESCRIPTION_MAX)
    check_tags(task.tags, f"{at}/tags")
    if task.estimate_minutes is not None and not 1 <= task.estimate_minutes <= ESTIMATE_MAX:
        detail = f"must be 1 to {ESTIMATE_MAX} minutes, or null"
        raise Invalid("template.invalid", f"{at}/estimate_minutes", detail, task.estimate_minutes)
    if len(task.checklist) > ITEMS_MAX:
        detail = f"must be at most {ITEMS_MAX}"
        raise Invalid("template.invalid", f"{at}/checklist", detail, len(task.checklist))
    for n, item in enumerate(task.checklist):
        check_line(item, f"{at}/checklist/{n}", most=TEXT_MAX)
    if task.assignee is not None and task.assignee.role is not None:
        check_line(task.assignee.role, f"{at}/assignee/role", most=ROLE_MAX)
    for field, timing in _timings(task):
        check_offset(timing.offset, f"{at}/{field}/offset")
        if timing.time is not None:
            check_time(timing.time, f"{at}/{field}/time")


def _names(definition: Definition) -> Faults:
    """Variables, and tasks, are told apart by their names."""
    for part, key, names in (
        ("variables", "name", [variable.name for variable in definition.variables]),
        ("tasks", "ref", [task.ref for task in definition.tasks]),
    ):
        twice = {name for name, times in Counter(names).items() if times > 1}
        first = set[str]()
        for index, name in enumerate(names):
            if name in twice and name in first:
                yield Fault(f"/{part}/{index}/{key}", "must be unique among these", name)
            first.add(name)


def _uses(definition: Definition) -> Faults:
    """What tasks name is there."""
    kinds = {variable.name: variable.kind for variable in definition.variables}
    refs = {task.ref for task in definition.tasks}
    for index, task in enumerate(definition.tasks):
        for parts, text in texts(task):
            for place in places(text):
                if place.name not in kinds:
                    detail = (
                        f"the place at character {place.at} must name a variable: {', '.join(kinds) or 'none is there'}"
                    )
                    yield Fault(pointed("tasks", index, *parts), detail, place.name)
        for field, timing in _timings(task):
            if timing.anchor is not None and kinds.get(timing.anchor) is not VariableKind.DATE:
                detail = "must be the name of a variable that is a date, or null"
                yield Fault(f"/tasks/{index}/{field}/anchor", detail, timing.anchor)
        if task.parent is not None and task.parent not in refs:
            yield Fault(f"/tasks/{index}/parent", "must be the ref of another task, or null", task.parent)
        yield from _dependencies(task, index, refs)


def _dependencies(task: TemplateTask, index: int, refs: set[str]) -> Faults:
    for n, ref in enumerate(task.depends_on):
        pointer = f"/tasks/{index}/depends_on/{n}"
        if ref not in refs or ref == task.ref:
            yield Fault(pointer, "must be the ref of another task", ref)
        elif ref in task.depends_on[:n]:
            yield Fault(pointer, "must be there once", ref)


def texts(task: TemplateTask) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of a task that may have places, with where it is in the task."""
    yield ("title",), task.title
    yield ("description",), task.description
    for n, tag in enumerate(task.tags):
        yield ("tags", n), tag
    for n, item in enumerate(task.checklist):
        yield ("checklist", n), item


def _timings(task: TemplateTask) -> Iterator[tuple[str, Timing]]:
    if task.start is not None:
        yield "start", task.start
    if task.due is not None:
        yield "due", task.due


def _tree(tasks: Sequence[TemplateTask]) -> Faults:
    """No task is below itself, none is too deep, and none has too many below it or around it."""
    parents = {task.ref: task.parent for task in tasks}
    below = Counter(parents.values())
    linked = Counter(ref for task in tasks for ref in task.depends_on)
    for index, task in enumerate(tasks):
        depth = _depth(task.ref, parents)
        if depth > len(tasks):
            yield Fault(f"/tasks/{index}/parent", "must not be below the task itself", task.parent)
        elif depth > DEPTH_MAX:
            yield Fault(f"/tasks/{index}/parent", f"a tree of tasks has at most {DEPTH_MAX} levels", task.parent)
        if below[task.ref] > SUBTASKS_MAX:
            yield Fault(f"/tasks/{index}", f"a task has at most {SUBTASKS_MAX} subtasks", task.ref)
        if len(task.depends_on) + linked[task.ref] > LINKS_MAX:
            yield Fault(f"/tasks/{index}", f"a task has at most {LINKS_MAX} dependencies", task.ref)


def _depth(ref: str, parents: Mapping[str, str | None]) -> int:
    """The level of a task, 1 for one below none; more than there are tasks where it is below itself."""
    depth, parent = 1, parents[ref]
    while parent is not None and depth <= len(parents):
        depth, parent = depth + 1, parents[parent]
    return depth


def _order(tasks: Sequence[TemplateTask]) -> Faults:
    """A task is closed after those that it depends on and after those below it: some order has to do for all."""
    waits = {task.ref: set(task.depends_on) for task in tasks}
    for task in tasks:
        if task.parent is not None:
            waits[task.parent].add(task.ref)
    closed: set[str] = set()
    while free := {ref for ref, left in waits.items() if left <= closed}:
        closed |= free
        waits = {ref: left for ref, left in waits.items() if ref not in free}
    for index, task in enumerate(tasks):
        if task.ref in waits and _is_round(task.ref, waits):
            detail = "the task would have to be closed before itself"
            yield Fault(f"/tasks/{index}/depends_on", detail, list(task.depends_on))


def _is_round(ref: str, waits: Mapping[str, set[str]]) -> bool:
    """Whether a task waits for itself, by way of others."""
    seen: set[str] = set()
    edge = [ref]
    while edge:
        further = (waits.get(edge.pop(), set()) & waits.keys()) - seen
        if ref in further:
            return True
        seen |= further
        edge += further
    return False
