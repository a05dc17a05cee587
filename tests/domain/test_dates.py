"""When tasks begin and when they are due: instants, days in time zones, and what cannot be both."""

from datetime import date, datetime

import pytest
from hypothesis import given as example
from hypothesis import strategies as st
from msgspec import UNSET

from commands.task import CreateTask, EditTask
from domain import zones
from domain.dates import NONE, Dates, Wanted, dated
from domain.errors import Invalid
from domain.task import TaskCreated, TaskEdited
from domain.task_time import TaskDuePassed
from domain.user import Role
from tests.domain.given import ADA, TASK, Given, at, rejected

BERLIN_DAY = Dates(None, "2027-01-31T22:59:59.999999Z", "2027-01-31", "Europe/Berlin")


@pytest.fixture
def given() -> Given:
    return Given().member(ADA, Role.ADMIN)


def test_a_day_is_due_by_its_last_microsecond_in_its_zone(given: Given) -> None:
    (event,) = given.when(CreateTask(TASK, "write", due_on="2027-01-31", due_zone="Europe/Berlin"))
    assert isinstance(event, TaskCreated)
    assert Dates(event.start_at, event.due_at, event.due_on, event.due_zone) == BERLIN_DAY


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        ("2027-03-27", "Asia/Beirut", "2027-03-27T21:59:59.999999Z"),  # clocks go from 24:00 to 01:00: no midnight
        ("2027-10-30", "Asia/Beirut", "2027-10-30T21:59:59.999999Z"),  # from 24:00 to 23:00: the last hour comes twice
        ("2027-11-06", "America/Havana", "2027-11-07T03:59:59.999999Z"),  # from 01:00 to 00:00: midnight comes twice
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04T02:59:59.999999Z"),  # no midnight either
        ("2011-12-29", "Pacific/Apia", "2011-12-30T09:59:59.999999Z"),  # the next day never came
        ("2027-01-31", "America/St_Johns", "2027-02-01T03:29:59.999999Z"),
        ("2027-01-31", "Pacific/Kiritimati", "2027-01-31T09:59:59.999999Z"),
        ("2027-06-30", "UTC", "2027-06-30T23:59:59.999999Z"),
    ],
)
def test_a_day_ends_where_the_next_one_begins(day: str, zone: str, end: str) -> None:
    assert zones.end_of(date.fromisoformat(day), zone) == end


@pytest.mark.parametrize(
    ("local", "zone", "moment"),
    [
        ("2027-03-28T02:30", "Europe/Berlin", "2027-03-28T01:30:00.000000Z"),  # never comes: it is 03:30 then
        ("2027-10-31T02:30", "Europe/Berlin", "2027-10-31T00:30:00.000000Z"),  # comes twice: the first
        ("2027-03-14T02:30", "America/New_York", "2027-03-14T07:30:00.000000Z"),
        ("2027-11-07T01:30", "America/New_York", "2027-11-07T05:30:00.000000Z"),
        ("2027-10-03T02:15", "Australia/Lord_Howe", "2027-10-02T15:45:00.000000Z"),  # half an hour is skipped
        ("2027-04-04T01:45", "Australia/Lord_Howe", "2027-04-03T14:45:00.000000Z"),
        ("2027-06-15T12:00", "Asia/Kathmandu", "2027-06-15T06:15:00.000000Z"),
    ],
)
def test_a_local_time_is_the_instant_that_the_rule_of_calendars_says(local: str, zone: str, moment: str) -> None:
    assert zones.to_instant(datetime.fromisoformat(local), zone) == moment


@example(
    st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 30)),  # noqa: DTZ001  (a local time)
    st.sampled_from(sorted(zones.names())),
)
def test_a_local_time_that_comes_is_shown_again_by_its_instant(local: datetime, zone: str) -> None:
    shown = zones.to_local(zones.to_instant(local, zone), zone)
    assert shown == local or zones.to_instant(shown, zone) == zones.to_instant(local, zone)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "europe/berlin", "../zones", "/etc/passwd", "Factory", "zone.tab"]
)
def test_another_name_is_no_zone(given: Given, name: str) -> None:
    with rejected("value.time_zone", Invalid):
        given.when(CreateTask(TASK, "write", due_at=at(9), due_zone=name))
    with pytest.raises(KeyError):
        zones.zone(name)


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        (BERLIN_DAY, Wanted(), BERLIN_DAY),
        (BERLIN_DAY, Wanted(due_at=at(9)), Dates(None, at(9), None, "Europe/Berlin")),
        (BERLIN_DAY, Wanted(due_at=None), NONE),
        (BERLIN_DAY, Wanted(due_on=None), NONE),
        (
            BERLIN_DAY,
            Wanted(due_on="2027-02-01"),
            Dates(None, "2027-02-01T22:59:59.999999Z", "2027-02-01", "Europe/Berlin"),
        ),
        (BERLIN_DAY, Wanted(due_zone="UTC"), Dates(None, "2027-01-31T23:59:59.999999Z", "2027-01-31", "UTC")),
        (BERLIN_DAY, Wanted(*BERLIN_DAY), BERLIN_DAY),  # what a client was shown may come back as it is
        (Dates(None, at(9)), Wanted(due_on=None), Dates(None, at(9))),
        (Dates(None, at(9)), Wanted(due_zone="Asia/Tokyo"), Dates(None, at(9), None, "Asia/Tokyo")),
        (Dates(None, at(9), None, "Asia/Tokyo"), Wanted(due_zone=None), Dates(None, at(9))),
        (Dates(at(1), at(9)), Wanted(None, None, None, None), NONE),
        (Dates(at(1), at(9)), Wanted(start_at=at(10), due_at=at(11)), Dates(at(10), at(11))),
        # What was said stays what it was, though today's rules would make another instant of it.
        (BERLIN_DAY._replace(due_at=at(9)), Wanted(due_on="2027-01-31"), BERLIN_DAY._replace(due_at=at(9))),
    ],
)
def test_a_day_takes_the_place_of_an_instant_and_an_instant_that_of_a_day(
    before: Dates, wanted: Wanted, after: Dates
) -> None:
    assert dated(before, wanted) == after


@pytest.mark.parametrize(
    ("before", "wanted", "code", "pointer"),
    [
        (NONE, Wanted(due_on="2027-01-31"), "dates.zone_needed", "/due_zone"),
        (BERLIN_DAY, Wanted(due_zone=None), "dates.zone_needed", "/due_zone"),
        (NONE, Wanted(due_zone="UTC"), "dates.zone_without_due", "/due_zone"),
        (BERLIN_DAY, Wanted(due_at=None, due_zone="UTC"), "dates.zone_without_due", "/due_zone"),
        (BERLIN_DAY, Wanted(due_at=at(9), due_on="2027-01-31"), "dates.due_twice", "/due_at"),
        (Dates(None, at(9)), Wanted(start_at=at(9)), "dates.start_after_due", "/start_at"),
        (Dates(at(9)), Wanted(due_at=at(9)), "dates.start_after_due", "/due_at"),
        (Dates(at(9)), Wanted(due_on="2020-01-01", due_zone="UTC"), "dates.start_after_due", "/due_on"),
        (NONE, Wanted(due_on="2027-02-30", due_zone="UTC"), "value.day", "/due_on"),
        (NONE, Wanted(due_on="20270131", due_zone="UTC"), "value.day", "/due_on"),
        (NONE, Wanted(due_on="9999-12-31", due_zone="UTC"), "value.day", "/due_on"),
        (NONE, Wanted(due_on="0001-01-01", due_zone="UTC"), "value.day", "/due_on"),
    ],
)
def test_dates_that_contradict_each_other_are_refused_by_name(
    before: Dates, wanted: Wanted, code: str, pointer: str
) -> None:
    with rejected(code, Invalid) as refused:
        dated(before, wanted)
    assert refused.value.extra["errors"][0]["pointer"] == pointer


def test_an_edit_says_all_that_follows_from_another_day(given: Given) -> None:
    given.does(CreateTask(TASK, "write", due_on="2027-01-31", due_zone="Europe/Berlin"))
    assert given.when(EditTask(TASK, due_on="2027-01-31", due_zone="Europe/Berlin")) == []
    assert given.when(EditTask(TASK, due_on="2027-02-01")) == [
        TaskEdited(due_at="2027-02-01T22:59:59.999999Z", due_on="2027-02-01")
    ]
    assert given.when(EditTask(TASK, due_at=None)) == [TaskEdited(due_at=None, due_on=None, due_zone=None)]
    assert given.when(EditTask(TASK, title="read"))[0] == TaskEdited(title="read")


def test_what_is_due_at_another_time_is_no_longer_overdue(given: Given) -> None:
    given.does(CreateTask(TASK, "write", due_at=at(9))).happened(TASK, TaskDuePassed(due_at=at(9)))
    assert given.the_task().overdue_since == at(9)
    assert given.does(EditTask(TASK, title="read", due_at=at(9))).the_task().overdue_since == at(9)
    assert given.does(EditTask(TASK, due_at=at(99))).the_task().overdue_since is None
    assert EditTask(TASK).start_at is UNSET
