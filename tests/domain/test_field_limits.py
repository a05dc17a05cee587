"""The limits of every field, at their borders, and what is no text."""

from collections.abc import Callable

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from commands.deciding import Command
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain.errors import Invalid
from domain.text import check_line, check_tags, check_text
from domain.user import Role
from tests.domain.given import ADA, OTHER, TASK, Given, rejected

Make = Callable[[str], Command]

TITLES: dict[str, Make] = {
    "create": lambda text: CreateTask(OTHER, text),
    "edit": lambda text: EditTask(TASK, title=text),
}
DESCRIPTIONS: dict[str, Make] = {
    "create": lambda text: CreateTask(OTHER, "t", text),
    "edit": lambda text: EditTask(TASK, description=text),
}
REASONS: dict[str, Make] = {
    "move": lambda text: MoveTask(TASK, "start", text),
    "delete": lambda text: DeleteTask(TASK, text),
    "restore": lambda text: RestoreTask(TASK, text),
}
TAGS: dict[str, Callable[[tuple[str, ...]], Command]] = {
    "create": lambda tags: CreateTask(OTHER, "t", tags=tags),
    "edit": lambda tags: EditTask(TASK, tags=tags),
}
FIELDS = [(make, "/title") for make in TITLES.values()]
FIELDS += [(make, "/description") for make in DESCRIPTIONS.values()]
FIELDS += [(make, "/reason") for make in REASONS.values()]

NOT_TEXT = ["\x00", "a\x00b", "\ud800", "\udfff", "a\udc80"]


def world() -> Given:
    return Given().member(ADA, Role.ADMIN).task(TASK)


def pointer_of(refused: Invalid) -> object:
    return refused.extra["errors"][0]["pointer"]


@pytest.mark.parametrize("make", TITLES.values(), ids=TITLES)
@pytest.mark.parametrize("text", ["x", "x" * 500, "😀" * 500, "  x  "])
def test_a_title_of_1_to_500_characters_is_taken_as_it_is(make: Make, text: str) -> None:
    assert [getattr(event, "title", None) for event in world().when(make(text))] == [text]


@pytest.mark.parametrize("make", TITLES.values(), ids=TITLES)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "value.length"),
        ("x" * 501, "value.length"),
        ("😀" * 501, "value.length"),
        ("   ", "value.blank"),
        ("\u2003", "value.blank"),
        ("two\nlines", "value.character"),
        ("a\ttab", "value.character"),
        ("\x7f", "value.character"),
    ],
)
def test_a_title_is_one_line_that_is_not_blank(make: Make, text: str, code: str) -> None:
    with rejected(code, Invalid) as refused:
        world().when(make(text))
    assert pointer_of(refused.value) == "/title"


@pytest.mark.parametrize("make", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_description_has_any_lines_and_at_most_100_000_characters(make: Make) -> None:
    longest = "l\n" * 50_000
    assert [getattr(event, "description", None) for event in world().when(make(longest))] == [longest]
    with rejected("value.length", Invalid) as refused:
        world().when(make(longest + "x"))
    assert pointer_of(refused.value) == "/description"
    assert len(str(refused.value.extra)) < 1_000  # the refused value is shown in part


@pytest.mark.parametrize("make", REASONS.values(), ids=REASONS)
def test_a_reason_has_at_most_2_000_characters(make: Make) -> None:
    world().when(make("r" * 2_000))
    with rejected("value.length", Invalid) as refused:
        world().when(make("r" * 2_001))
    assert pointer_of(refused.value) == "/reason"


@pytest.mark.parametrize(("make", "pointer"), FIELDS)
@pytest.mark.parametrize("text", NOT_TEXT)
def test_nul_and_lone_surrogates_are_no_text(make: Make, pointer: str, text: str) -> None:
    with rejected("value.character", Invalid) as refused:
        world().when(make(text))
    assert pointer_of(refused.value) == pointer
    str(refused.value.extra).encode()  # what is refused can still be shown


@pytest.mark.parametrize("make", TAGS.values(), ids=TAGS)
def test_50_tags_of_50_characters_are_taken_and_no_more(make: Callable[[tuple[str, ...]], Command]) -> None:
    most = tuple(f"{n:02}".rjust(50, "t") for n in range(50))
    assert [getattr(event, "tags", None) for event in world().when(make(most))] == [most]
    with rejected("value.length", Invalid) as refused:
        world().when(make((*most, "x")))
    assert pointer_of(refused.value) == "/tags"
    assert [getattr(event, "tags", None) for event in world().when(make(most + most))] == [most]  # repeats count once


@pytest.mark.parametrize("make", TAGS.values(), ids=TAGS)
@pytest.mark.parametrize("tag", ["", " ", "x" * 51, "a\nb", *NOT_TEXT])
def test_a_tag_is_one_line_of_1_to_50_characters(make: Callable[[tuple[str, ...]], Command], tag: str) -> None:
    with pytest.raises(Invalid) as refused:
        world().when(make(("fine", tag)))
    assert pointer_of(refused.value) == "/tags/1"


def test_what_a_value_breaks_is_refused_before_who_asks_is_looked_up() -> None:
    given = world()
    with rejected("value.length", Invalid):
        given.when(CreateTask(OTHER, ""))
    assert given.reads == {}


@example(st.text(max_size=60))
def test_text_is_taken_unchanged_or_refused(value: str) -> None:
    if len(value) > 50 or "\x00" in value:
        with pytest.raises(Invalid):
            check_text(value, "/x", most=50)
    else:
        assert check_text(value, "/x", most=50) == value


@example(st.text(st.characters(exclude_categories=()), max_size=60))
def test_a_line_that_is_taken_can_be_stored(value: str) -> None:
    try:
        taken = check_line(value, "/x", most=50)
    except Invalid:
        return
    assert taken == value
    assert taken.strip()
    assert not set(taken.encode()) & {*range(32), 127}


@example(st.lists(st.text("ab", min_size=1, max_size=2), max_size=80))
def test_tags_keep_their_order_and_stand_once(values: list[str]) -> None:
    tags = check_tags(values, "/tags")
    assert sorted(tags) == sorted(set(values))
    assert [values.index(tag) for tag in tags] == sorted(values.index(tag) for tag in tags)
