"""What leaves as CSV comes back as it was, and begins no formula on its way."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange import HEADER, LISTS, escape, joined, parted, records, unescape, values_of

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
    '=HYPERLINK("http://x")',
)
DANGER = st.text(st.sampled_from("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n,;|\"' \\ab✓"), max_size=20)
# A field as whoever reads the file sees it begin, whatever they take for a separator.
BEGINS = re.compile(r"(?:\A|[,;|\"\t\r\n]) *[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("before", ["", "a;", "a,", 'a"', "a|", "a\n", " ", "a; "])
def test_a_formula_becomes_text_wherever_a_field_may_begin(before: str, text: str) -> None:
    escaped = escape(before + text)
    assert BEGINS.search(before + text)
    assert not BEGINS.search(escaped)
    assert unescape(escaped) == before + text


@pytest.mark.parametrize("text", ["plain", "", "a - b", "1-2", "it's", "f(x) = y", "a@example.com", "3 + 4"])
def test_what_begins_nothing_stays_as_it_is(text: str) -> None:
    assert escape(text) == text == unescape(text)


@pytest.mark.parametrize("text", ["'quoted'", "''", "a,'b'", "'=1", "a;'"])
def test_apostrophes_that_were_there_come_back(text: str) -> None:
    assert escape(text) != text
    assert unescape(escape(text)) == text


@given(DANGER | st.text(max_size=50))
def test_every_text_comes_back_and_none_begins_a_formula(text: str) -> None:
    assert not BEGINS.search(escape(text))
    assert unescape(escape(text)) == text


@given(st.lists(DANGER.filter(bool), max_size=5))
def test_every_list_comes_back_from_its_field(items: list[str]) -> None:
    assert parted(unescape(escape(joined(items)))) == items


@pytest.mark.parametrize(
    ("cell", "items"),
    [("a; b ;c", ["a", "b", "c"]), (";;a;", ["a"]), ("", []), (r"a\;b;\ c", ["a;b", " c"]), ("\\", [])],
)
def test_lists_that_people_write_are_read_without_the_blanks(cell: str, items: list[str]) -> None:
    assert parted(cell) == items


@given(st.dictionaries(st.sampled_from(sorted(set(HEADER) - LISTS)), DANGER.filter(bool)))
def test_a_record_is_read_back_by_any_reader_of_csv(fields: dict[str, str]) -> None:
    row = [escape(fields.get(name, "")) for name in HEADER]
    [record] = csv.DictReader(io.StringIO(records([HEADER, row]), newline=""))
    assert values_of(record) == fields


def test_records_are_as_rfc_4180_has_them() -> None:
    assert records([["a", None, 'say "x"', "two\nlines", 7]]) == '"a","","say ""x""","two\nlines","7"\r\n'
