"""When something recurs: which rules are taken, and the instants that they give."""

import os
from datetime import datetime
from itertools import islice
from time import process_time

import pytest

from domain.instant import instant
from domain.recurrence import Mode, Point, Recurrence
from domain.rule import parse
from tests.domain.given import rejected
from tests.domain.rules import Case, cases, expected

RULES = int(os.environ.get("TASKFOLD_RECURRENCE_RULES", "200"))
SEED = int(os.environ.get("TASKFOLD_RECURRENCE_SEED", "1"))


def every(rule: str, starts: str, zone: str = "Europe/Berlin", mode: Mode = Mode.SCHEDULE) -> Recurrence:
    return Recurrence(rule=rule, zone=zone, mode=mode, starts=starts)


def locals_of(rule: str, starts: str, most: int = 10) -> list[str]:
    return [point.local for point in islice(every(rule, starts).points(), most)]


def instants_of(recurrence: Recurrence, most: int) -> list[str]:
    return [point.at for point in islice(recurrence.points(), most)]


# Zone, rule, first local time, and the instants that come of it. Each was worked out by hand from the zone's rules.
DAYLIGHT = [
    # Berlin: 02:00 → 03:00 on 28 March 2027, 03:00 → 02:00 on 31 October 2027.
    ("Europe/Berlin", "FREQ=DAILY;COUNT=3", "2027-03-27T09:00:00", ["27T08:00", "28T07:00", "29T07:00"]),
    ("Europe/Berlin", "FREQ=DAILY;COUNT=3", "2027-03-27T02:30:00", ["27T01:30", "28T01:30", "29T00:30"]),
    ("Europe/Berlin", "FREQ=DAILY;COUNT=3", "2027-10-30T02:30:00", ["30T00:30", "31T00:30", "01T01:30"]),
    ("Europe/Berlin", "FREQ=DAILY;BYHOUR=2,3;COUNT=4", "2027-03-28T02:00:00", ["28T01:00", "29T00:00", "29T01:00"]),
    ("Europe/Berlin", "FREQ=WEEKLY;COUNT=3", "2027-03-21T12:00:00", ["21T11:00", "28T10:00", "04T10:00"]),
    # New York: 02:00 → 03:00 on 14 March 2027, 02:00 → 01:00 on 7 November 2027.
    ("America/New_York", "FREQ=DAILY;COUNT=3", "2027-03-13T02:30:00", ["13T07:30", "14T07:30", "15T06:30"]),
    ("America/New_York", "FREQ=DAILY;COUNT=3", "2027-11-06T01:30:00", ["06T05:30", "07T05:30", "08T06:30"]),
    ("America/New_York", "FREQ=DAILY;COUNT=3", "2027-11-06T02:00:00", ["06T06:00", "07T07:00", "08T07:00"]),
    # Lord Howe changes by half an hour: 02:00 → 02:30 on 3 October 2027, 02:00 → 01:30 on 4 April 2027.
    ("Australia/Lord_Howe", "FREQ=DAILY;COUNT=3", "2027-10-02T02:15:00", ["01T15:45", "02T15:45", "03T15:15"]),
    ("Australia/Lord_Howe", "FREQ=DAILY;COUNT=3", "2027-04-03T01:45:00", ["02T14:45", "03T14:45", "04T15:15"]),
    # São Paulo skipped midnight itself on 4 November 2018.
    ("America/Sao_Paulo", "FREQ=DAILY;COUNT=3", "2018-11-03T00:00:00", ["03T03:00", "04T03:00", "05T02:00"]),
    ("America/Sao_Paulo", "FREQ=DAILY;COUNT=2", "2018-02-17T23:30:00", ["18T01:30", "19T02:30"]),
    # Apia had no 30 December 2011: that day's nine o'clock is the next day's, and one occurrence.
    ("Pacific/Apia", "FREQ=DAILY;COUNT=4", "2011-12-28T09:00:00", ["28T19:00", "29T19:00", "30T19:00"]),
    ("Pacific/Apia", "FREQ=WEEKLY;BYDAY=FR;COUNT=2", "2011-12-23T09:00:00", ["23T19:00", "30T19:00"]),
    # Kolkata never changes.
    ("Asia/Kolkata", "FREQ=MONTHLY;COUNT=3", "2027-02-28T00:15:00", ["27T18:45", "27T18:45", "27T18:45"]),
]


@pytest.mark.parametrize(("zone", "rule", "starts", "days"), DAYLIGHT)
def test_when_clocks_change_local_time_stays_and_the_instant_moves(
    zone: str, rule: str, starts: str, days: list[str]
) -> None:
    assert [at[8:16] for at in instants_of(every(rule, starts, zone), 10)] == days


def test_generated_rules_give_what_dateutil_gives_and_go_on_from_any_of_their_times() -> None:
    """By default 200 of them; `make faults-recurrence` takes 10,000."""
    compared = 0
    for case in islice(cases(SEED), RULES):
        wanted = expected(case, 12)
        recurrence = every(case.text, case.starts.isoformat(), case.zone)
        assert instants_of(recurrence, 12) == wanted, case
        assert _one_by_one(recurrence, 12) == wanted, case
        compared += len(wanted)
    assert compared > 5 * RULES  # they are no empty ones


def _one_by_one(recurrence: Recurrence, most: int) -> list[str]:
    """Each asked for by the one before it alone, as the series does when it makes them."""
    point = next(recurrence.points(), None)
    found: list[str] = []
    while point is not None and len(found) < most:
        found.append(point.at)
        point = next(recurrence.points(point), None)
    return found


def test_a_rule_ends_with_the_instant_or_the_whole_day_of_until() -> None:
    daily = "FREQ=DAILY;UNTIL="
    start = "2027-01-30T23:30:00"
    assert len(locals_of(daily + "20270131", start)) == 2
    assert len(locals_of(daily + "20270131T233000", start)) == 2
    assert len(locals_of(daily + "20270131T232959", start)) == 1
    assert len(locals_of(daily + "20270131T223000Z", start)) == 2
    assert len(locals_of(daily + "20270131T222959Z", start)) == 1


def test_dates_that_a_month_does_not_have_are_left_out() -> None:
    assert [day[:10] for day in locals_of("FREQ=MONTHLY", "2027-01-31T09:00:00", 3)] == [
        "2027-01-31",
        "2027-03-31",
        "2027-05-31",
    ]
    assert [day[:10] for day in locals_of("FREQ=YEARLY", "2028-02-29T09:00:00", 3)] == [
        "2028-02-29",
        "2032-02-29",
        "2036-02-29",
    ]


def test_a_start_that_the_rule_does_not_give_is_no_occurrence() -> None:
    assert locals_of("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2027-01-06T09:00:00") == [
        "2027-01-11T09:00:00",
        "2027-01-18T09:00:00",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=YEARLY;BYDAY=MO;BYSETPOS=99",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR;BYSETPOS=2",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6",
    ],
)
def test_what_never_comes_is_not_looked_for_for_ever(rule: str) -> None:
    began = process_time()
    assert locals_of(rule, "2027-01-04T09:00:00") == []
    assert process_time() - began < 0.5  # dateutil by itself takes up to three seconds


REFUSED = [
    ("", "parts such as"),
    ("WEEKLY", "parts such as"),
    ("FREQ=", "parts such as"),
    ("INTERVAL=2", "how often"),
    ("FREQ=HOURLY", "DAILY, WEEKLY, MONTHLY or YEARLY"),
    ("FREQ=SECONDLY", "DAILY, WEEKLY, MONTHLY or YEARLY"),
    ("FREQ=DAILY;FREQ=WEEKLY", "twice"),
    ("FREQ=DAILY;INTERVAL=0", "from 1 to 1000"),
    ("FREQ=DAILY;INTERVAL=-1", "from 1 to 1000"),
    ("FREQ=DAILY;INTERVAL=1,2", "from 1 to 1000"),
    ("FREQ=YEARLY;INTERVAL=101", "100 years"),
    ("FREQ=DAILY;COUNT=0", "from 1 to 10000"),
    ("FREQ=DAILY;COUNT=10001", "from 1 to 10000"),
    ("FREQ=DAILY;COUNT=2;UNTIL=20280101", "not by both"),
    ("FREQ=DAILY;UNTIL=20280230", "a day such as"),
    ("FREQ=DAILY;UNTIL=tomorrow", "a day such as"),
    ("FREQ=DAILY;UNTIL=99991231", "a day such as"),
    ("FREQ=DAILY;BYEASTER=1", "expected one of"),
    ("FREQ=DAILY;BYSECOND=1", "expected one of"),
    ("FREQ=DAILY;DTSTART=20270101", "expected one of"),
    ("DTSTART:20270101T090000\nRRULE:FREQ=DAILY", "expected one of"),
    ("FREQ=DAILY;BYMINUTE=0,30", "one minute"),
    ("FREQ=DAILY;BYHOUR=24", "hours, 0 to 23"),
    ("FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 101), "hours, 0 to 23"),
    ("FREQ=DAILY;BYHOUR=\u0661", "hours, 0 to 23"),
    ("FREQ=MONTHLY;BYMONTHDAY=0", "days of the month"),
    ("FREQ=MONTHLY;BYMONTHDAY=32", "days of the month"),
    ("FREQ=WEEKLY;BYMONTHDAY=1", "goes with"),
    ("FREQ=MONTHLY;BYYEARDAY=1", "goes with"),
    ("FREQ=MONTHLY;BYWEEKNO=1", "goes with"),
    ("FREQ=DAILY;BYHOUR=9;BYSETPOS=1", "goes with"),
    ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", "goes with"),
    ("FREQ=MONTHLY;BYSETPOS=1", "another BY"),
    ("FREQ=WEEKLY;BYDAY=1MO", "numbered weekday"),
    ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "numbered weekday"),
    ("FREQ=YEARLY;BYWEEKNO=1", "on which days"),
    ("FREQ=MONTHLY;BYDAY=XX", "weekdays"),
    ("FREQ=MONTHLY;BYDAY=MO,", "weekdays"),
    ("FREQ=MONTHLY;BYDAY=0MO", "weekdays"),
    ("FREQ=WEEKLY;WKST=1", "a weekday"),
    ("FREQ=DAILY;" + "X" * 500, "at most 500 characters"),
]


@pytest.mark.parametrize(("rule", "detail"), REFUSED)
def test_a_rule_that_is_not_taken_is_told_why(rule: str, detail: str) -> None:
    with rejected("recurrence.invalid") as refused:
        parse(rule)
    assert detail in refused.value.detail
    assert refused.value.extra["errors"][0]["pointer"] == "/rule"


def test_small_letters_are_capitals() -> None:
    assert parse("freq=weekly;byday=mo").text == "FREQ=WEEKLY;BYDAY=MO"


@pytest.mark.parametrize(
    ("rule", "done", "following"),
    [
        ("FREQ=DAILY;INTERVAL=3", "2027-01-06T08:00:00Z", "2027-01-09T09:00:00"),
        ("FREQ=DAILY;INTERVAL=3", "2027-01-06T22:59:00Z", "2027-01-09T09:00:00"),
        ("FREQ=DAILY;INTERVAL=3", "2027-01-06T23:00:00Z", "2027-01-10T09:00:00"),  # the seventh in Berlin
        ("FREQ=WEEKLY;BYDAY=MO", "2027-01-02T08:00:00Z", "2027-01-11T09:00:00"),  # before it was due, on 4 January
        ("FREQ=WEEKLY;BYDAY=MO", "2027-01-11T05:00:00Z", "2027-01-18T09:00:00"),
        ("FREQ=MONTHLY;UNTIL=20270203", "2027-01-04T08:00:00Z", None),
        ("FREQ=DAILY;COUNT=1", "2027-01-04T08:00:00Z", None),
        ("FREQ=DAILY;COUNT=2", "2027-01-04T08:00:00Z", "2027-01-05T09:00:00"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "2027-01-04T08:00:00Z", None),
    ],
)
def test_from_completion_a_rule_begins_anew_on_that_day(rule: str, done: str, following: str | None) -> None:
    first = Point("2027-01-04T09:00:00", "2027-01-04T08:00:00.000000Z", 1)
    recurrence = every(rule, first.local, mode=Mode.COMPLETION)
    point = recurrence.after_completion(first, instant(datetime.fromisoformat(done)))
    assert (point.local if point else None) == following
    assert point is None or point.nth == 2


def test_what_is_to_be_expected_from_completion_is_as_if_each_was_done_in_time() -> None:
    recurrence = every("FREQ=DAILY;INTERVAL=2;COUNT=4", "2027-01-04T09:00:00", mode=Mode.COMPLETION)
    first = Point("2027-01-04T09:00:00", "2027-01-04T08:00:00.000000Z", 1)
    assert [point.local[8:10] for point in recurrence.upcoming(first)] == ["06", "08", "10"]


def test_cases_are_of_every_kind() -> None:
    """The generator makes what the comparison is to cover."""
    texts = [case.text for case in islice(cases(1), 500)]
    parts = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "COUNT", "UNTIL", "BYSETPOS", "BYWEEKNO", "BYYEARDAY", "BYHOUR")
    assert all(any(part in text for text in texts) for part in parts)
    assert isinstance(next(cases(1)), Case)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("starts", ["9997-12-30T23:30:00", "9999-12-29T23:30:00", "2011-12-30T10:00:00"])
@pytest.mark.parametrize("rule", ["FREQ=DAILY", "FREQ=MONTHLY;INTERVAL=1000", "FREQ=YEARLY;INTERVAL=100"])
def test_what_is_to_come_ends_with_the_calendar(rule: str, starts: str, mode: Mode) -> None:
    recurrence = every(rule, starts, "America/Nuuk", mode)
    first = next(recurrence.points(), None)
    ahead = [] if first is None else list(islice(recurrence.upcoming(first), 120))
    assert all(point.local < "9999" for point in ahead)


def test_what_is_done_ages_before_it_is_due_is_followed_soon() -> None:
    hours = ",".join(map(str, range(24)))
    recurrence = every(f"FREQ=DAILY;BYHOUR={hours}", "2199-12-01T09:00:00", "UTC", Mode.COMPLETION)
    began = process_time()
    following = recurrence.after_completion(next(recurrence.points()), "2026-01-01T00:00:00.000000Z")
    assert following is not None
    assert following.local == "2199-12-02T00:00:00"
    assert process_time() - began < 1


def test_midnight_is_the_beginning_of_a_day_and_no_end() -> None:
    for until in ("20271231T240000", "20271231T240000Z"):
        with rejected("recurrence.invalid"):
            parse(f"FREQ=DAILY;UNTIL={until}")
