"""A tally counts as a histogram does: each value in the first bucket whose bound it does not pass."""

from hypothesis import given
from hypothesis import strategies as st

from domain.tally import Tally

BOUNDS = (1, 2, 5)
VALUES = st.lists(st.integers(-3, 9))


def counted(values: list[int]) -> Tally:
    tally = Tally(BOUNDS)
    for value in values:
        tally.add(value)
    return tally


@given(VALUES)
def test_each_value_is_counted_in_the_first_bucket_that_holds_it(values: list[int]) -> None:
    tally = counted(values)
    for bound, below in zip(BOUNDS, (sum(tally.counts[: n + 1]) for n in range(len(BOUNDS))), strict=True):
        assert below == sum(value <= bound for value in values)
    assert tally.count == len(values)
    assert tally.total == sum(values)


@given(VALUES, VALUES)
def test_two_tallies_merged_are_one_of_all_values(some: list[int], others: list[int]) -> None:
    merged, whole = counted(some), counted(some + others)
    merged.merge(counted(others))
    assert (merged.counts, merged.total) == (whole.counts, whole.total)
