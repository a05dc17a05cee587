"""Sliding windows of two buckets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.defence.windows import Window


@pytest.mark.parametrize(
    ("before", "count", "passed", "full"),
    [
        (0, 9, 0.0, False),
        (0, 10, 0.0, True),
        (10, 0, 0.0, True),
        (10, 0, 0.1, False),
        (10, 5, 0.5, True),
        (10, 4, 0.5, False),
        (10, 4, 0.49, True),
        (1_000, 0, 0.992, False),
    ],
)
def test_what_the_last_window_counted_fades_out(before: int, count: int, passed: float, full: bool) -> None:
    assert Window(60, 10).is_full(before, count, passed) is full


@given(
    before=st.integers(0, 1_000),
    count=st.integers(0, 1_000),
    passed=st.floats(0, 0.999),
    limit=st.integers(1, 500),
    more=st.integers(1, 500),
)
def test_after_the_stated_wait_so_many_more_fit_and_not_much_earlier(
    before: int, count: int, passed: float, limit: int, more: int
) -> None:
    window, more = Window(60, limit), min(more, limit)
    wait = window.wait(before, count, passed, more)
    assert (wait > 0) == window.is_full(before, count, passed, more)
    assert wait <= 120
    later = passed + (wait + 1e-6) / 60
    assert not (window.is_full(count, 0, later - 1, more) if later >= 1 else window.is_full(before, count, later, more))
    if wait > 1:
        sooner = passed + (wait - 1) / 60
        assert (
            window.is_full(count, 0, sooner - 1, more) if sooner >= 1 else window.is_full(before, count, sooner, more)
        )


def test_buckets_follow_one_another() -> None:
    window = Window(60, 1)
    assert [window.bucket(at) for at in (0.0, 30.0, 59.7, 60.0)] == [(0, 0.0), (0, 0.5), (0, 0.995), (1, 0.0)]
