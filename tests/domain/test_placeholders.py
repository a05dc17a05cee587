"""Text with places for values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.placeholders import Place, TooLong, filled, places, plain

MOST = 10_000
# Everything that could be taken for a part of a place, and what is known from the syntaxes of others.
PIECES = st.sampled_from(
    ["{{", "}}", "{", "}", "\\", "{{a}}", "{{ a }}", "{{b}}", "\\{{a}}", "\n", "%s", "{0}", "{a.b}", "${a}", "a", "é"]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)
VALUES = st.fixed_dictionaries({"a": TEXTS, "b": TEXTS})


def test_a_value_stands_where_its_name_was() -> None:
    assert filled("Welcome {{who}}, {{ who }}!", {"who": "Eve"}, MOST) == "Welcome Eve, Eve!"


@pytest.mark.parametrize("value", ["{{b}}", "\\{{b}}", "{0}", "%(b)s", "{b.__class__}", "\\1", "\\g<0>", "$1"])
def test_a_value_is_put_in_as_it_is(value: str) -> None:
    assert filled("<{{a}}>", {"a": value, "b": "secret"}, MOST) == f"<{value}>"


def test_a_backslash_makes_a_place_plain_text() -> None:
    assert list(places("\\{{a}} {{b}}")) == [Place("b", 7)]
    assert filled("\\{{a}} {{b}}", {"b": "x"}, MOST) == "{{a}} x"


@pytest.mark.parametrize("text", ["{a}", "{{a", "a}}", "{{a{b}}", "{{\n}}", "{{" + "x" * 101 + "}}"])
def test_what_is_no_place_is_text(text: str) -> None:
    assert list(places(text)) == []
    assert filled(text, {}, MOST) == text


@given(TEXTS)
def test_any_text_can_be_written_plain(text: str) -> None:
    assert filled(plain(text), {}, MOST) == text
    assert list(places(plain(text))) == []


@given(TEXTS, TEXTS, VALUES)
def test_texts_without_a_place_between_them_fill_as_each_alone(one: str, other: str, values: dict[str, str]) -> None:
    known = {place.name: values.get(place.name, "?") for text in (one, other) for place in places(text)}
    whole = f"{one}\n{other}"  # no place spans lines
    assert filled(whole, known, MOST) == f"{filled(one, known, MOST)}\n{filled(other, known, MOST)}"


@given(TEXTS, VALUES, st.integers(0, 100))
def test_a_text_is_never_longer_than_it_may_be(text: str, values: dict[str, str], most: int) -> None:
    known = {place.name: values.get(place.name, "?") for place in places(text)}
    whole = filled(text, known, MOST)
    if len(whole) <= most:
        assert filled(text, known, most) == whole
    else:
        with pytest.raises(TooLong):
            filled(text, known, most)


@given(TEXTS, VALUES)
def test_only_what_the_text_names_is_read(text: str, values: dict[str, str]) -> None:
    known = {place.name: "x" for place in places(text)}
    assert filled(text, known, MOST) == filled(text, {**values, **known}, MOST)
