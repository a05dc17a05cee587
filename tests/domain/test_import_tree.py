"""How the tasks of a file lie below each other, and where they wait in circles."""

from hypothesis import given
from hypothesis import strategies as st

from domain.import_tree import IN_A_CIRCLE, Spot, circular, spots

PAIRS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30)


def test_levels_count_from_the_tasks_that_are_below_none() -> None:
    assert spots({3: 2, 2: 1, 5: 1, 7: 6}) == {2: Spot(1, 1), 3: Spot(1, 2), 5: Spot(1, 1), 7: Spot(6, 1)}


def test_what_is_below_itself_has_no_level_nor_has_what_is_below_it() -> None:
    found = spots({1: 2, 2: 3, 3: 1, 4: 3, 5: 6})
    assert {task for task, spot in found.items() if spot.level == IN_A_CIRCLE} == {1, 2, 3, 4}
    assert found[5] == Spot(6, 1)


@given(st.dictionaries(st.integers(0, 12), st.integers(0, 12)))
def test_a_task_is_in_the_tree_of_its_parent_and_one_level_below_it(parents: dict[int, int]) -> None:
    found = spots(parents)
    assert found.keys() == parents.keys()
    for task, parent in parents.items():
        above = found.get(parent, Spot(parent, 0))
        if above.level == IN_A_CIRCLE:
            assert found[task].level == IN_A_CIRCLE
        else:
            assert found[task] == Spot(above.root, above.level + 1)
            assert above.root not in parents


@given(PAIRS)
def test_without_those_that_stand_in_circles_nobody_waits_in_one(pairs: list[tuple[int, int]]) -> None:
    found = circular(pairs)
    assert circular([(task, other) for task, other in pairs if task not in found]) == set()


@given(PAIRS)
def test_whoever_waits_for_itself_stands_in_a_circle(pairs: list[tuple[int, int]]) -> None:
    waits = {task: {other for one, other in pairs if one == task} for task, _ in pairs}

    def reached(task: int) -> set[int]:
        seen: set[int] = set()
        ahead = list(waits[task])
        while ahead:
            at = ahead.pop()
            if at not in seen:
                seen.add(at)
                ahead += waits.get(at, ())
        return seen

    assert {task for task in waits if task in reached(task)} <= circular(pairs)


def test_who_waits_for_a_circle_or_is_waited_for_by_one_is_in_none() -> None:
    assert circular([(1, 2), (2, 3), (3, 2), (3, 4)]) == {2, 3}
