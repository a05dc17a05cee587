"""Checklists: items in an order, changed by who may change the task."""

import pytest
from hypothesis import given as hypothetically
from hypothesis import strategies as st

from commands.checklist import AddItem, ChangeItem, RemoveItem
from domain import streams
from domain.checklist import (
    ITEMS_MAX,
    TEXT_MAX,
    Checklist,
    ItemAdded,
    ItemChecked,
    ItemEdited,
    ItemMoved,
    ItemUnchecked,
)
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.policy import Action
from domain.talk import Part, stream_of
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, NOBODY, OTHER, TASK, Given, at, rejected
from tests.domain.test_erased import erase

LIST = stream_of(TASK, Part.CHECKLIST)
ONE, TWO, THREE, FOUR = (f"00000000-0000-7000-8000-00000000040{n}" for n in range(1, 5))


@pytest.fixture
def given() -> Given:
    """Ada's task with the items one and two."""
    given = Given().member(ADA).member(BOB).member(EVE, Role.AUDITOR).task(TASK)
    return given.does(AddItem(TASK, ONE, "one")).does(AddItem(TASK, TWO, "two"))


def checklist(given: Given) -> Checklist:
    state = given.state(LIST)
    assert isinstance(state, Checklist)
    return state


def order(given: Given) -> list[str]:
    return [item.id for item in checklist(given).items]


def test_items_are_added_at_the_end_or_where_one_says(given: Given) -> None:
    assert given.when(AddItem(TASK, THREE, "three")) == [
        ItemAdded(task_id=TASK, item_id=THREE, text="three", after=TWO)
    ]
    given.does(AddItem(TASK, THREE, "three", after=None)).does(AddItem(TASK, FOUR, "four", after=ONE))
    assert order(given) == [THREE, ONE, FOUR, TWO]
    with rejected("checklist.after", Invalid):
        given.when(AddItem(TASK, NOBODY, "x", after=NOBODY))


def test_an_item_is_changed_checked_and_moved_in_one_step(given: Given) -> None:
    about = {"task_id": TASK, "item_id": TWO}
    assert given.when(ChangeItem(TASK, TWO, text="2", checked=True, after=None)) == [
        ItemEdited(**about, text="2"),
        ItemChecked(**about),
        ItemMoved(**about, after=None),
    ]
    given.does(ChangeItem(TASK, TWO, text="2", checked=True, after=None))
    two = checklist(given).items[0]
    assert (two.text, two.checked, two.checked_by, two.checked_at) == ("2", True, ADA, at(len(given.log) - 1))
    assert given.when(ChangeItem(TASK, TWO, checked=False)) == [ItemUnchecked(**about)]


def test_what_is_so_already_changes_nothing(given: Given) -> None:
    assert given.when(ChangeItem(TASK, TWO, text="two", checked=False, after=ONE)) == []
    assert given.when(ChangeItem(TASK, TWO)) == []
    for other in (TWO, NOBODY):
        with rejected("checklist.after", Invalid):
            given.when(ChangeItem(TASK, TWO, after=other))


def test_an_item_is_removed_once(given: Given) -> None:
    given.does(RemoveItem(TASK, ONE))
    assert order(given) == [TWO]
    given.task(OTHER)
    for command in (RemoveItem(TASK, ONE), ChangeItem(TASK, ONE, checked=True), RemoveItem(OTHER, TWO)):
        with rejected("checklist.item_not_found", NotFound):
            given.when(command)


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "x" * (TEXT_MAX + 1)])
def test_an_item_is_one_line(given: Given, text: str) -> None:
    for command in (AddItem(TASK, THREE, text), ChangeItem(TASK, ONE, text=text)):
        with pytest.raises(Invalid, match="must"):
            given.when(command)


def test_a_checklist_has_so_many_items_and_no_more(given: Given) -> None:
    more = [ItemAdded(task_id=TASK, item_id=f"{n}", text="x", after=TWO) for n in range(ITEMS_MAX - 2)]
    given.happened(LIST, *more)
    with rejected("checklist.full", Conflict):
        given.when(AddItem(TASK, THREE, "three"))


def test_only_who_may_change_the_task_changes_its_checklist(given: Given) -> None:
    for command in (AddItem(TASK, THREE, "x"), ChangeItem(TASK, ONE, checked=True), RemoveItem(TASK, ONE)):
        with rejected("task.not_found", NotFound):
            given.when(command, by=BOB)
        with rejected("auth.forbidden", Forbidden) as refused:
            given.when(command, by=EVE)
        assert Action.CHECKLIST_CHANGE.value in refused.value.detail
        assert len(given.when(command)) == 1
        assert given.reads.keys() == {ADA, TASK, LIST}


@hypothetically(st.data())
def test_a_checklist_folds_whatever_was_erased(data: st.DataObject) -> None:
    """And whatever is left is about items that are there, each once."""
    given = Given().member(ADA).task(TASK)
    ids = [ONE, TWO, THREE, FOUR]
    made: list[str] = []
    for _ in range(data.draw(st.integers(1, 12))):
        item = data.draw(st.sampled_from(ids))
        after = data.draw(st.sampled_from([None, *made]))
        if item not in made:
            given.does(AddItem(TASK, item, "x", after=after))
            made.append(item)
        elif data.draw(st.booleans()):
            given.does(ChangeItem(TASK, item, checked=data.draw(st.booleans()), after=None if after == item else after))
        else:
            given.does(RemoveItem(TASK, item))
            made.remove(item)
        assert sorted(order(given)) == sorted(made)
    log = [logged for logged in given.log if logged.stream_id == LIST]
    state = streams.fold(erase(log, *data.draw(st.sets(st.integers(1, 12)))))
    assert isinstance(state, Checklist)
    assert state.version == len(log)
    left = [item.id for item in state.items]
    assert len(set(left)) == len(left)
