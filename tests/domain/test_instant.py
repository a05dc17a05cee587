"""Instants as text: exact, in UTC, and in time order."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from domain.instant import EARLIEST, LATEST, instant

MOMENTS = st.datetimes(
    EARLIEST.replace(tzinfo=None),
    LATEST.replace(tzinfo=None),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12, minutes=-30))]),
)


def test_an_instant_has_six_digits_of_a_second_and_says_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert instant(datetime(2026, 11, 21, 10, 30, tzinfo=berlin)) == "2026-11-21T09:30:00.000000Z"
    assert instant(datetime(2026, 11, 21, 9, 30, 0, 1, tzinfo=UTC)) == "2026-11-21T09:30:00.000001Z"


def test_the_earliest_and_the_latest_have_four_digits_of_a_year_in_every_zone() -> None:
    assert instant(EARLIEST) == "0001-01-02T00:00:00.000000Z"
    assert instant(LATEST) == "9999-12-30T00:00:00.000000Z"


@given(MOMENTS)
def test_an_instant_reads_back_as_the_same_moment(moment: datetime) -> None:
    text = instant(moment)
    assert len(text) == 27
    assert datetime.fromisoformat(text) == moment


@given(MOMENTS, MOMENTS)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (instant(one) < instant(other)) == (one < other)
