"""What an event changed, and what changed since a version."""

import msgspec

from domain.diff import changed_since, difference
from domain.streams import evolve
from domain.task import TaskAssigned, TaskEdited, TaskStarted
from domain.task import evolve as evolve_task
from domain.task_fields import Assignee, Priority
from domain.user import Role
from domain.workflow import Category
from tests.domain.given import ADA, BOB, TASK, Given, at

STARTED = TaskStarted(status="in_progress", category=Category.ACTIVE)
TO_BOB = TaskAssigned(assignee=Assignee(type="user", id=BOB))


def as_json(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_difference_names_the_fields_before_and_after_as_json_values() -> None:
    given = Given().member(ADA, Role.ADMIN).task(TASK)
    before = given.the_task()
    after = given.happened(TASK, TO_BOB, TaskEdited(priority=Priority.HIGH, tags=("a",))).the_task()
    assert as_json(difference(before, after)) == {
        "assignee": {"from": None, "to": {"type": "user", "id": BOB}},
        "priority": {"from": "normal", "to": "high"},
        "tags": {"from": [], "to": ["a"]},
    }


def test_what_moves_with_every_event_is_no_difference() -> None:
    given = Given().task(TASK)
    before = given.the_task()
    after = given.happened(TASK, TaskEdited()).the_task()
    assert before != after
    assert difference(before, after) == {}


def test_a_creation_differs_from_nothing_in_the_fields_that_it_set() -> None:
    assert as_json(difference(None, Given().task(TASK).the_task())) == {
        "title": {"from": None, "to": "write"},
        "description": {"from": None, "to": ""},
        "status": {"from": None, "to": "todo"},
        "category": {"from": None, "to": "open"},
        "priority": {"from": None, "to": "normal"},
        "tags": {"from": None, "to": []},
        "subtasks": {"from": None, "to": []},
        "links": {"from": None, "to": []},
    }


def test_changed_since_says_which_field_by_whom_and_when() -> None:
    given = Given().task(TASK).happened(TASK, TO_BOB, by=ADA).happened(TASK, STARTED, by=BOB)
    changed = changed_since(given.log, 1, evolve_task)
    assert changed == [
        {"field": "assignee", "by": ADA, "at": at(2), "version": 2},
        {"field": "status", "by": BOB, "at": at(3), "version": 3},
        {"field": "category", "by": BOB, "at": at(3), "version": 3},
    ]
    assert changed_since(given.log, 2, evolve) == changed[1:]
    assert changed_since(given.log, 3, evolve) == []
