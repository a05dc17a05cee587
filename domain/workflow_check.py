"""What makes a workflow a good one, and what a change of workflow means for the statuses of tasks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from domain.errors import Invalid
from domain.text import check_line
from domain.workflow import Category, Move, Workflow

STATUSES_MAX: Final = 30
MOVES_MAX: Final = 100
NAME_MAX: Final = 50  # of a status, of a move
LIMIT_MAX: Final = 100_000

# The moves whose names have events of their own must do what these events say.
_MEANS: Final[Mapping[str, tuple[Category, ...]]] = {
    "start": (Category.OPEN, Category.ACTIVE),
    "pause": (Category.OPEN, Category.ACTIVE),
    "reopen": (Category.OPEN, Category.ACTIVE),
    "complete": (Category.DONE,),
    "cancel": (Category.CANCELLED,),
}


def check(workflow: Workflow) -> Workflow:
    """A workflow in which no task gets lost. Raises `Invalid` `workflow.invalid`, pointing at what is wrong.

    Names are unique, moves lead from known statuses to known ones, the initial one is open, every status can be reached
    from it, and from every one some way leads to one that is done or cancelled.
    """
    _check_statuses(workflow)
    for index, move in enumerate(workflow.moves):
        _check_move(workflow, move, f"/moves/{index}")
    _check_unique((move.name for move in workflow.moves), "/moves", MOVES_MAX, least=0)
    _check_ways(workflow)
    return workflow


def remapping(old: Workflow, new: Workflow, mapping: Mapping[str, str]) -> dict[str, str | None]:
    """The statuses that tasks cannot have any more as they had them, with those that they get: None where nobody says.

    A status that only changed its category stands for itself. Raises `Invalid` `workflow.mapping` for a mapping of
    what needs none, or one that would close or reopen tasks.
    """
    for status, to in mapping.items():
        pointer = f"/mapping/{status.replace('~', '~0').replace('/', '~1')}"
        if status not in old.categories or new.keeps(status, old.categories[status]):
            detail = "must be a status of the workflow until now, which the new one lacks"
            raise Invalid("workflow.mapping", pointer, detail, status)
        if not new.keeps(to, old.categories[status]):
            kind = "closed" if old.categories[status].closed else "open or active"
            detail = f"must lead to a status of the new workflow that is {kind}: only moves close and reopen tasks"
            raise Invalid("workflow.mapping", pointer, detail, to)
    return {
        status: status if new.keeps(status, category) else mapping.get(status)
        for status, category in old.categories.items()
        if new.categories.get(status) is not category
    }


def _check_statuses(workflow: Workflow) -> None:
    _check_unique((status.name for status in workflow.statuses), "/statuses", STATUSES_MAX, least=1)
    for index, status in enumerate(workflow.statuses):
        check_line(status.name, f"/statuses/{index}/name", most=NAME_MAX)
        if status.limit is not None and not 1 <= status.limit <= LIMIT_MAX:
            raise _invalid(f"/statuses/{index}/limit", f"must be 1 to {LIMIT_MAX}, or null", status.limit)
    if workflow.categories.get(workflow.initial) is not Category.OPEN:
        raise _invalid("/initial", "must be one of the statuses, of the category open", workflow.initial)


def _check_unique(names: Iterable[str], pointer: str, most: int, *, least: int) -> None:
    seen: set[str] = set()
    index = -1
    for index, name in enumerate(names):
        if name in seen:
            raise _invalid(f"{pointer}/{index}/name", "must be unique among these", name)
        seen.add(name)
    if not least <= index + 1 <= most:
        raise _invalid(pointer, f"must be {least} to {most}, got {index + 1}", index + 1)


def _check_move(workflow: Workflow, move: Move, pointer: str) -> None:
    check_line(move.name, f"{pointer}/name", most=NAME_MAX)
    if not move.from_:
        raise _invalid(f"{pointer}/from", "must name one status at least", [])
    places = [(f"{pointer}/from/{index}", status) for index, status in enumerate(move.from_)]
    for place, status in [*places, (f"{pointer}/to", move.to)]:
        if status not in workflow.categories:
            raise _invalid(place, "must be one of the statuses", status)
    meant = _MEANS.get(move.name)
    if meant is not None and workflow.categories[move.to] not in meant:
        detail = f"a move with the name {move.name!r} must lead to a status that is {' or '.join(meant)}"
        raise _invalid(f"{pointer}/to", detail, move.to)


def _check_ways(workflow: Workflow) -> None:
    forth: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for (at, _), move in workflow.table.items():
        forth[at].add(move.to)
        back[move.to].add(at)
    reached = _closure([workflow.initial], forth)
    ending = _closure([name for name, category in workflow.categories.items() if category.closed], back)
    for index, name in enumerate(workflow.categories):
        if name not in reached:
            detail = f"no moves lead from the initial status {workflow.initial!r} to this one"
            raise _invalid(f"/statuses/{index}", detail, name)
        if name not in ending:
            raise _invalid(f"/statuses/{index}", "no moves lead from here to one that is done or cancelled", name)


def _closure(start: Iterable[str], edges: Mapping[str, set[str]]) -> set[str]:
    """All that can be reached, the start included."""
    reached = set(start)
    edge = list(reached)
    while edge:
        further = edges.get(edge.pop(), set()) - reached
        reached |= further
        edge += further
    return reached


def _invalid(pointer: str, detail: str, value: Any) -> Invalid:
    return Invalid("workflow.invalid", pointer, detail, value)
