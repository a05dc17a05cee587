"""Days after a day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.template import Timing
from domain.template_dates import at, between, check_offset, check_time, shifted
from tests.domain.given import rejected

FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2027, 1, day) for day in (1, 2, 3, 4))
DAYS = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@pytest.mark.parametrize(
    ("day", "offset", "expected"),
    [
        (MONDAY, "+3d", date(2027, 1, 7)),
        (MONDAY, "-4d", date(2026, 12, 31)),
        (MONDAY, "2w", date(2027, 1, 18)),
        (date(2028, 2, 28), "+1d", date(2028, 2, 29)),
        (FRIDAY, "+0bd", FRIDAY),
        (FRIDAY, "+1bd", MONDAY),
        (FRIDAY, "+6bd", date(2027, 1, 11)),
        (MONDAY, "-1bd", FRIDAY),
        (SATURDAY, "+0bd", MONDAY),
        (SUNDAY, "+0bd", MONDAY),
        (SUNDAY, "-0bd", MONDAY),
        (SATURDAY, "+1bd", MONDAY),
        (SUNDAY, "+2bd", date(2027, 1, 5)),
        (SATURDAY, "-1bd", FRIDAY),
        (SUNDAY, "-2bd", date(2026, 12, 31)),
    ],
)
def test_days_weeks_and_working_days_are_counted_from_a_day(day: date, offset: str, expected: date) -> None:
    assert shifted(day, offset) == expected


@given(DAYS, st.integers(1, 300))
def test_so_many_working_days_after_a_day_are_as_many_by_looking_at_each(day: date, many: int) -> None:
    for sign in (1, -1):
        counted, left = day, many
        while left:
            counted += timedelta(days=sign)
            left -= counted.weekday() < 5
        assert shifted(day, f"{'+' if sign > 0 else '-'}{many}bd") == counted


@given(DAYS, DAYS)
def test_the_distance_between_two_days_leads_from_one_to_the_other(anchor: date, day: date) -> None:
    distance = between(anchor, day)
    if abs((day - anchor).days) <= 99_999:
        assert check_offset(distance, "/offset") == distance
        assert shifted(anchor, distance) == day


@pytest.mark.parametrize("text", ["", "3", "d", "+d", "+123456d", "+3m", "+3 d", "3.5d", "++3d", "٣d", "+3d\n"])
def test_what_is_no_distance_is_refused(text: str) -> None:
    with rejected("template.offset"):
        check_offset(text, "/offset")


@pytest.mark.parametrize("text", ["", "24:00", "12:60", "1:00", "12:00:00", "٠٩:00", "12:00\n"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with rejected("template.time"):
        check_time(text, "/time")


@pytest.mark.parametrize(("anchor", "offset"), [(date(9999, 12, 29), "+1d"), (date(1, 1, 3), "-9999d")])
def test_a_day_out_of_the_calendar_overflows(anchor: date, offset: str) -> None:
    with pytest.raises(OverflowError):
        at(Timing(offset=offset), anchor)
