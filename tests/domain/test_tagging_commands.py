"""Tags: what is written once a tag has another name, and what the book says of old ones."""

import pytest

from commands.tagging import ChangeTag, RemoveTag, RetagTasks, SettleTag
from commands.task import CreateTask, EditTask
from domain import streams
from domain.errors import Forbidden, Invalid
from domain.events import Event
from domain.tagbook import (
    TAGS_MAX,
    Look,
    Tagbook,
    TagDescribed,
    TagRemoved,
    TagRenamed,
    TagSettled,
    book_id,
)
from domain.task import TaskCreated, TaskDeleted, TaskEdited
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, OTHER, TASK, WORKSPACE, Given, rejected
from tests.domain.test_erased import erase

BOOK = book_id(WORKSPACE)


@pytest.fixture
def given() -> Given:
    """Ada is an admin, Eve a manager, Bob a member whose task has tags."""
    given = Given().member(ADA, Role.ADMIN).member(BOB).member(EVE, Role.MANAGER)
    return given.task(TASK, TaskEdited(tags=("a", "x")), by=BOB)


def book(given: Given) -> Tagbook:
    state = given.state(BOOK)
    assert isinstance(state, Tagbook)
    return state


def change(name: str, to: str, **look: str | None) -> ChangeTag:
    return ChangeTag(WORKSPACE, name, to=to, **look)  # type: ignore[arg-type]


def tags_of(events: list[Event]) -> tuple[str, ...]:
    [event] = events
    assert isinstance(event, TaskCreated | TaskEdited)
    assert isinstance(event.tags, tuple)
    return event.tags


def test_who_tags_a_task_writes_the_names_of_today(given: Given) -> None:
    given.happened(BOOK, TagRenamed(name="a", to="b"), TagRenamed(name="b", to="c"))
    assert tags_of(given.when(CreateTask(OTHER, "write", tags=("a", "x", "b", "c")), by=BOB)) == ("c", "x")
    assert BOOK in given.reads, "that no other tag is renamed meanwhile is an expectation"
    assert tags_of(given.when(EditTask(TASK, tags=("x", "a")), by=BOB)) == ("x", "c")
    assert given.when(EditTask(TASK, title="new"), by=BOB) == [TaskEdited(title="new")]
    assert BOOK not in given.reads, "what is not about tags does not wait for the book"
    given.when(CreateTask(OTHER, "write"), by=BOB)
    assert BOOK not in given.reads


def test_managers_rename_tags_and_members_do_not(given: Given) -> None:
    for by in (ADA, EVE):
        assert given.when(change("a", "b"), by=by) == [TagRenamed(name="a", to="b")]
    for command in (change("a", "b"), RemoveTag(WORKSPACE, "a"), RetagTasks(WORKSPACE, (TASK,))):
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=BOB)


def test_the_same_renaming_again_is_no_event_and_the_old_name_is_not_renamed_otherwise(given: Given) -> None:
    given.happened(BOOK, TagRenamed(name="a", to="b"))
    assert given.when(change("a", "b")) == []
    assert given.when(change("a", "b", colour="#FF0000")) == [TagDescribed(name="b", colour="#ff0000", description="")]
    with rejected("tag.renamed"):
        given.when(change("a", "c"))
    with rejected("tag.renamed"):
        given.when(RemoveTag(WORKSPACE, "a"))


def test_a_look_goes_with_the_name_unless_the_other_tag_has_one(given: Given) -> None:
    red, blue = Look(colour="#ff0000", description="r"), Look(colour="#0000ff")
    given.happened(BOOK, TagDescribed(name="a", colour="#ff0000", description="r"), TagRenamed(name="a", to="b"))
    assert book(given).looks == {"b": red}
    given.happened(BOOK, TagDescribed(name="c", colour="#0000ff", description=""), TagRenamed(name="b", to="c"))
    assert book(given).looks == {"c": blue}
    assert given.when(ChangeTag(WORKSPACE, "c", colour=None)) == [TagDescribed(name="c", colour=None, description="")]
    assert given.when(ChangeTag(WORKSPACE, "c", colour="#0000FF")) == []
    assert given.when(ChangeTag(WORKSPACE, "new")) == [TagDescribed(name="new", colour=None, description="")]


def test_a_tag_that_is_renamed_back_has_its_name_again(given: Given) -> None:
    given.happened(BOOK, TagRenamed(name="a", to="b"), TagSettled(name="a"))
    assert given.when(change("b", "a")) == [TagRenamed(name="b", to="a")]
    given.happened(BOOK, TagRenamed(name="b", to="a"))
    assert (book(given).now("a"), book(given).now("b"), book(given).unfinished) == ("a", "a", ("b",))


def test_a_name_that_tasks_still_have_for_another_tag_is_not_taken(given: Given) -> None:
    given.happened(BOOK, TagRenamed(name="a", to="b"))
    with rejected("tag.unfinished"):
        given.when(change("c", "a"))
    assert given.when(change("b", "a")) == [TagRenamed(name="b", to="a")], "it means the same"
    given.happened(BOOK, TagSettled(name="a"))
    assert given.when(change("c", "a")) == [TagRenamed(name="c", to="a")]


def test_a_removed_tag_is_left_out_until_no_task_has_it_and_free_afterwards(given: Given) -> None:
    assert given.when(RemoveTag(WORKSPACE, "a")) == [TagRemoved(name="a")]
    given.happened(BOOK, TagRenamed(name="o", to="a"), TagRemoved(name="a"))
    assert given.when(RemoveTag(WORKSPACE, "a")) == []
    assert tags_of(given.when(CreateTask(OTHER, "write", tags=("a", "o", "x")), by=BOB)) == ("x",)
    with rejected("tag.unfinished"):
        given.when(ChangeTag(WORKSPACE, "a", colour="#ff0000"))
    given.happened(BOOK, TagSettled(name="a"), TagSettled(name="o"))
    assert (book(given).today, book(given).unfinished) == ({}, ())
    assert tags_of(given.when(CreateTask(OTHER, "write", tags=("a", "x")), by=BOB)) == ("a", "x")


def test_tasks_that_have_an_old_name_are_rewritten_also_in_the_trash(given: Given) -> None:
    given.task(OTHER, TaskEdited(tags=("b", "a")), TaskDeleted(), by=BOB)
    assert given.when(RetagTasks(WORKSPACE, (TASK, OTHER))) == []
    given.happened(BOOK, TagRenamed(name="a", to="b"), TagRemoved(name="x"))
    assert given.when(RetagTasks(WORKSPACE, (TASK, OTHER))) == [TaskEdited(tags=("b",)), TaskEdited(tags=("b",))]
    assert given.when(SettleTag(WORKSPACE, "a")) == [TagSettled(name="a")]
    given.happened(BOOK, TagSettled(name="a"))
    assert given.when(SettleTag(WORKSPACE, "a")) == []
    assert book(given).today == {"a": "b", "x": None}, "an old name stands for today's for ever"


def test_what_no_tag_can_be_is_refused(given: Given) -> None:
    for command, code in (
        (change("a", " "), "value.blank"),
        (change("", "a"), "value.length"),
        (change("a", "b" * 51), "value.length"),
        (RemoveTag(WORKSPACE, "\x00"), "value.character"),
    ):
        with rejected(code, Invalid):
            given.when(command)
    with rejected("tag.colour", Invalid):
        given.when(ChangeTag(WORKSPACE, "a", colour="red"))


def test_the_book_is_full_at_some_point(given: Given) -> None:
    given.happened(BOOK, *[TagRenamed(name=f"{n}", to="b") for n in range(TAGS_MAX - 1)])
    with rejected("tag.too_many"):
        given.when(change("c", "d"))
    assert given.when(ChangeTag(WORKSPACE, "b", colour="#ff0000")) != []


def test_a_book_folds_whatever_is_erased_of_it(given: Given) -> None:
    given.happened(BOOK, TagDescribed(name="a", colour=None, description="secret"), TagRenamed(name="a", to="b"))
    history = [logged for logged in given.log if logged.stream_id == BOOK]
    for versions, looks, today in (
        ((1,), {}, {"a": "b"}),
        ((2,), {"a": Look(description="secret")}, {}),
        ((1, 2), {}, {}),
    ):
        erased = streams.fold(erase(history, *versions))
        assert isinstance(erased, Tagbook)
        assert (erased.version, erased.looks, erased.today) == (2, looks, today)
