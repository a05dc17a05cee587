"""The query language: what is read, what it is written as, and where it is wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.instant import EARLIEST, LATEST
from domain.query import Filter, Query, Value, Word, Words, parse
from domain.query_dates import span
from domain.query_fields import FIELDS, PARTS, STATES, Kind, minutes
from domain.query_words import asks_for_words, begun, meaning, plain
from tests.domain.given import ADA

NOW = datetime(2026, 1, 31, 15, 30, tzinfo=UTC)


def of(name: str, *values: str, operator: str = ":", negated: bool = False) -> Filter:
    return Filter(FIELDS[name], operator, tuple(map(Value, values)), negated)


def test_a_query_is_filters_words_and_a_sort() -> None:
    text = 'assignee:me status:open due<7d tag:ops "exact words" -excluded wal* sort:-priority,due created>2026-01-01'
    assert parse(text) == Query(
        (
            of("assignee", "me"),
            of("status", "open"),
            of("due", "7d", operator="<"),
            of("tag", "ops"),
            of("created", "2026-01-01", operator=">"),
        ),
        (
            Words((Word("exact words", exact=True),)),
            Words((Word("excluded"),), negated=True),
            Words((Word("wal", prefix=True),)),
        ),
        ("-priority", "due_at"),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Query()),
        (" \t ", Query()),
        ("tag:a,b", Query((of("tag", "a", "b"),))),
        ('tag:"a, b",c', Query((of("tag", "a, b", "c"),))),
        ('tag:"say ""hi"""', Query((of("tag", 'say "hi"'),))),
        ("-status:done", Query((of("status", "done", negated=True),))),
        ("due:<=today", Query((of("due", "today", operator="<="),))),
        ("due=today", Query((of("due", "today"),))),
        ("ASSIGNED:none", Query((of("assignee", "none"),))),
        ("a or b c", Query(words=(Words((Word("a"), Word("b"))), Words((Word("c"),))))),
        ('"or"', Query(words=(Words((Word("or", exact=True),)),))),
        ("http://x.org 12:30 a<b - -- c=d", parse("http://x.org 12:30 a<b - -- c=d")),
        ("foo*bar *", Query(words=(Words((Word("foo*bar"),)), Words((Word("*"),))))),
        ('-"a b"', Query(words=(Words((Word("a b", exact=True),), negated=True),))),
        ('tag:"<x","//y","="', Query((of("tag", "<x", "//y", "="),))),
        ("--force -a", Query(words=(Words((Word("--force"),)), Words((Word("a"),), negated=True)))),
        ("sort=-due", Query(sort=("-due_at",))),
        ("(a) f(x:y)", Query(words=(Words((Word("(a)"),)), Words((Word("f(x:y)"),))))),
        ("(http://x.org)", Query(words=(Words((Word("(http://x.org)"),)),))),
    ],
)
def test_what_is_written_is_read(text: str, found: Query) -> None:
    assert parse(text) == found
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "column", "length", "expected", "suggestions"),
    [
        ("a statsu:open", 3, 6, "the name of a field", ("status", "tags")),
        ("priority:urgnt", 10, 5, "one of low, normal, high, urgent", ("urgent",)),
        ("-is:overdu", 5, 6, "one of open", ("overdue",)),
        ("due<soon", 5, 4, "a day such as", ()),
        ("due<none", 5, 4, "to compare with", ()),
        ("due>=2026-02-30", 6, 10, "a day such as", ()),
        ("x tag:", 7, 0, "a name", ()),
        ("tag:a,,b", 7, 0, "a name", ()),
        ("status<done", 7, 1, "`:` after 'status'", ()),
        ("due<1d,2d", 5, 5, "one value", ()),
        ('a "b c', 3, 4, "a closing quote", ()),
        ("sort:-prio", 6, 5, "one of priority, due", ("priority",)),
        ("sort:due,-due", 10, 4, "once", ()),
        ("sort:due sort:title", 10, 10, "one `sort:` only", ()),
        ("a or", 3, 2, "both sides", ()),
        ("or a", 1, 2, "both sides", ()),
        ("a or -b", 3, 2, "both sides", ()),
        ("a or is:open", 3, 2, "both sides", ()),
        ("assignee:bob", 10, 3, "me, none, or the id", ()),
        ("project:x", 9, 1, "the key of a project", ()),
        ("key:app", 5, 3, "the key of a task", ()),
        ("estimate>2d", 10, 2, "minutes such as", ()),
        ("a " * 51, 1, 102, "at most 50 terms", ()),
        ('x<"a b"', 3, 1, "a blank before", ()),
        ("x -sort:due", 3, 1, "no `-` before `sort:`", ()),
        ("sort:<due", 5, 2, "`:` after 'sort'", ()),
        ("sort<due", 5, 1, "`:` after 'sort'", ()),
        ("\t\U0001f389 (is:open or x)", 4, 1, "no parenthesis before a filter", ()),
        ("-((is:open)", 2, 2, "no parenthesis before a filter", ()),
        ("e\u0301 tag:a,", 10, 0, "a name", ()),
    ],
)
def test_what_is_wrong_is_shown_where_it_stands(
    text: str, column: int, length: int, expected: str, suggestions: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text, "/query")
    assert refused.value.code == "query.invalid"
    extra = refused.value.extra
    assert (extra["column"], extra["length"], tuple(extra.get("suggestions", ()))) == (column, length, suggestions)
    assert expected in extra["expected"]
    assert extra["errors"][0]["pointer"] == "/query"


@given(st.text(st.sampled_from(list('ab:<>=-,*" \torduestag!/7')), max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = _read(text)
    if isinstance(found, Query):
        assert parse(str(found)) == found
        return
    column, length = found.extra["column"], found.extra["length"]
    assert found.code == "query.invalid"
    assert 1 <= column <= len(text) + 1
    assert column - 1 + length <= len(text)


def _read(text: str) -> Query | Invalid:
    try:
        return parse(text)
    except Invalid as refused:
        return refused


_VALUES: dict[Kind, st.SearchStrategy[str]] = {
    Kind.NAME: st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=50),
    Kind.CATEGORY: st.sampled_from(["open", "active", "done", "cancelled"]),
    Kind.PRIORITY: st.sampled_from(["low", "normal", "high", "urgent"]),
    Kind.PERSON: st.sampled_from(["me", "none", ADA]),
    Kind.MEMBER: st.sampled_from(["me", ADA]),
    Kind.PROJECT: st.sampled_from(["APP", "app", "none", ADA]),
    Kind.TASK: st.sampled_from(["APP-1", "none", ADA]),
    Kind.KEY: st.from_regex(r"[A-Z]{2,10}-[1-9][0-9]{0,5}", fullmatch=True),
    Kind.SERIES: st.sampled_from(["none", ADA]),
    Kind.WHEN: st.sampled_from(["today", "-2w", "7d", "2026-01-31", "2026-01-31T09:00Z"]) | st.dates().map(str),
    Kind.MINUTES: st.sampled_from(["0", "90", "90m", "1.5h"]),
    Kind.STATE: st.sampled_from(STATES),
    Kind.PART: st.sampled_from(PARTS),
}


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Filters as they can be read: equal values once, one value where it is compared."""
    known = draw(st.sampled_from(list(FIELDS.values())))
    operator = draw(st.sampled_from(known.operators))
    values = draw(st.lists(_VALUES[known.kind], min_size=1, max_size=3 if operator == ":" else 1, unique=True))
    values = [value for value in values if known.check(value, operator) is None] or [draw(_VALUES[known.kind])]
    if any(known.check(value, operator) is not None for value in values):
        return of("status", "done")
    return Filter(known, operator, tuple(map(Value, values)), draw(st.booleans()))


_QUOTED = st.builds(Word, st.text(max_size=10), st.just(False), st.just(True))
_SORTS = st.permutations(["priority", "-due_at", "created_at", "-updated_at", "title"])


@given(st.lists(filters(), max_size=5), st.lists(st.builds(Words, st.tuples(_QUOTED)), max_size=3), _SORTS)
def test_a_query_that_is_written_is_read_as_the_same(found: list[Filter], words: list[Words], sort: list[str]) -> None:
    query = Query(tuple(found), tuple(words), tuple(sort[:2]))
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        ("tomorrow", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)),
        ("yesterday", datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        ("now", NOW, NOW),
        ("7d", NOW + timedelta(days=7), NOW + timedelta(days=7)),
        ("-2w", NOW - timedelta(weeks=2), NOW - timedelta(weeks=2)),
        ("+36h", NOW + timedelta(hours=36), NOW + timedelta(hours=36)),
        ("1m", NOW.replace(month=2, day=28), NOW.replace(month=2, day=28)),
        ("-1y", NOW.replace(year=2025), NOW.replace(year=2025)),
        ("2026-01-31T17:30+02:00", NOW, NOW),
    ],
)
def test_a_moment_is_what_it_says(text: str, begin: datetime, end: datetime) -> None:
    assert span(text, NOW) == (begin, end)


@pytest.mark.parametrize(
    ("text", "zone", "begin", "end"),
    [
        ("today", "Asia/Tokyo", "2026-01-31T15:00Z", "2026-02-01T15:00Z"),  # it is 00:30 there, of the day after
        ("yesterday", "Asia/Tokyo", "2026-01-30T15:00Z", "2026-01-31T15:00Z"),
        ("tomorrow", "America/Los_Angeles", "2026-02-01T08:00Z", "2026-02-02T08:00Z"),
        ("2026-01-31", "Europe/Berlin", "2026-01-30T23:00Z", "2026-01-31T23:00Z"),
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),  # of 23 hours
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00Z", "2018-11-05T02:00Z"),  # it had no midnight
        ("1m", "Asia/Tokyo", "2026-02-28T15:30Z", "2026-02-28T15:30Z"),  # from the first to the first
        ("7d", "Asia/Tokyo", "2026-02-07T15:30Z", "2026-02-07T15:30Z"),
    ],
)
def test_a_day_is_one_of_the_zone(text: str, zone: str, begin: str, end: str) -> None:
    assert span(text, NOW, zone) == (datetime.fromisoformat(begin), datetime.fromisoformat(end))


def test_a_moment_that_cannot_be_kept_is_the_nearest_one() -> None:
    assert span("9999y", NOW).begin.year == 9999
    assert span("-9999y", NOW).begin.year == 1
    assert span("9999-12-31", NOW).end.year == 9999
    assert span("9999-12-31", NOW, "America/Los_Angeles").end == LATEST
    assert span("0001-01-01", NOW, "Asia/Tokyo").begin == EARLIEST
    assert span("0001-01-01T00:00+14:00", NOW).begin == EARLIEST
    assert span("9999-12-31T23:00-14:00", NOW).begin == LATEST


def test_minutes_are_also_written_as_hours() -> None:
    assert [minutes(text) for text in ("90", "90m", "1.5h")] == [90, 90, 90]


def test_none_is_not_expected_where_it_cannot_stand() -> None:
    for text, is_told in (("due:soon", True), ("due<soon", False), ("estimate:x", True), ("estimate>=x", False)):
        with pytest.raises(Invalid) as refused:
            parse(text)
        assert refused.value.extra["expected"].endswith("or none") is is_told, text


def test_the_last_word_of_a_search_may_be_only_begun() -> None:
    assert begun(parse("sea wal is:open")) == parse("sea wal* is:open")
    assert begun(parse("sea or wal")) == parse("sea or wal*")
    for finished in ('"wal"', "wal -cow", "w", "is:open", ""):
        assert begun(parse(finished)) == parse(finished)


def test_words_may_mean_others() -> None:
    query = parse('walrsu "sea cow" -cow is:open')
    assert plain(query) == ["walrsu"]
    assert meaning(query, {"walrsu": ["walrus"], "cow": ["row"]}) == parse('walrsu or walrus "sea cow" -cow is:open')
    assert asks_for_words(query)
    assert not asks_for_words(parse("-cow is:open"))


def test_a_query_is_narrowed_by_another() -> None:
    assert parse("a is:open sort:due").also(parse("b -is:overdue")) == parse("is:open -is:overdue a b sort:due")
    assert parse("sort:due").also(parse("sort:title")).sort == ("title",)


def test_every_field_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs/queries.md").read_text()
    for known in FIELDS.values():
        operators = " ".join(f"`{operator}`" for operator in known.operators)
        others = ", ".join(f"`{other}`" for other in known.others)
        assert f"| `{known.name}` | {known.meaning} | {known.expected} | {operators} | {others} |" in page
    assert "`is:` " + ", ".join(f"`{state}`" for state in STATES) in page
    assert "`has:` " + ", ".join(f"`{part}`" for part in PARTS) in page
