"""What a line of a file says of a task, and what is wrong with it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from domain.errors import Invalid
from domain.exchange import HEADER, Names, cells
from domain.import_line import Where, Whom, of_document, of_record
from domain.task import EDITABLE, Task
from domain.task_fields import Assignee, Priority
from domain.task_links import Link, LinkType
from domain.workflow import Category
from tests.domain.given import ADA, OTHER, TASK, Given

AT = "2027-01-31T17:00:00.000000Z"
NOBODY = Names({}, {}, {})
PLAIN: dict[str, Any] = {"title": "Write the report"}


def task(**fields: Any) -> Task:
    """The task that a creation makes, with other fields."""
    found = Given().member(ADA).task(TASK, by=ADA).the_task()
    return type(found)(**{name: getattr(found, name) for name in found.__struct_fields__} | fields)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1)),
)
def test_whatever_people_write_comes_back_from_a_spreadsheet_as_it_was(text: str, tags: list[str]) -> None:
    exported = task(title=f"={text}", description=text, tags=tuple(tags), estimate_minutes=90, due_at=AT)
    cells_ = ["" if cell is None else str(cell) for cell in cells(exported, NOBODY)]
    said = of_record(dict(zip(HEADER, cells_, strict=True)), escaped=True)
    assert said.fields.title == f"={text}"
    assert said.fields.description == (text or UNSET)
    assert said.fields.tags == (tuple(tags) or UNSET)
    assert (said.own, said.fields.estimate_minutes, said.fields.due_at) == (TASK, 90, AT)


def test_a_document_says_all_that_an_import_takes() -> None:
    said = of_document(
        {
            "id": "A-1",
            "title": "Write",
            "priority": "high",
            "due_at": "2027-01-31T18:00:00+01:00",
            "tags": ["a", "b"],
            "status": "review",
            "category": "active",
            "assignee": {"type": "team", "id": "T"},
            "project_id": "P",
            "parent_id": "A-2",
            "links": [{"type": "blocked_by", "task_id": "A-3", "closed": True}],
            "created_at": AT,
            "completed_at": None,
            "deleted_at": None,
            "unknown": {"passed": "by"},
        }
    )
    fields = said.fields
    assert (fields.title, fields.priority, fields.due_at, fields.tags) == ("Write", Priority.HIGH, AT, ("a", "b"))
    assert (said.own, said.status, said.category) == ("A-1", "review", Category.ACTIVE)
    assert (said.assignee, said.project, said.parent) == (Whom("team", "T"), Where(id="P"), "A-2")
    assert said.links == ((LinkType.BLOCKED_BY, "A-3"),)
    assert said.created_at == AT


def test_a_record_names_people_and_projects_and_lists_tasks() -> None:
    said = of_record(
        {"title": "'tis =1", "assignee": "ada@example.com", "project": "APP", "blocked_by": "1; 2", "tags": " a;b "},
        escaped=False,
    )
    assert said.fields.title == "'tis =1"
    assert said.fields.tags == ("a", "b")
    assert (said.assignee, said.project) == (Whom("user", None, "ada@example.com"), Where(key="APP"))
    assert said.links == ((LinkType.BLOCKED_BY, "1"), (LinkType.BLOCKED_BY, "2"))


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/title"),
        ({"title": None}, "/title"),
        ({"title": 3}, "/title"),
        ({**PLAIN, "priority": "huge"}, "/priority"),
        ({**PLAIN, "tags": "a"}, "/tags"),
        ({**PLAIN, "tags": [1]}, "/tags/0"),
        ({**PLAIN, "due_at": "tomorrow"}, "/due_at"),
        ({**PLAIN, "due_at": "2027-01-31T17:00:00"}, "/due_at"),
        ({**PLAIN, "due_at": "2027-W05-1T17:00:00Z"}, "/due_at"),
        ({**PLAIN, "created_at": "20270131"}, "/created_at"),
        ({**PLAIN, "category": "odd"}, "/category"),
        ({**PLAIN, "id": ""}, "/id"),
        ({**PLAIN, "id": "x" * 201}, "/id"),
        ({**PLAIN, "id": "a\nb"}, "/id"),
        ({**PLAIN, "parent_id": 7}, "/parent_id"),
        ({**PLAIN, "links": [{"type": "likes", "task_id": "x"}]}, "/links/0/type"),
        ({**PLAIN, "assignee": {"type": "user"}}, "/assignee"),
    ],
)
def test_what_is_wrong_names_its_place(document: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        of_document(document)
    assert refused.value.code == "import.value"
    assert refused.value.extra["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("value", [None, 3, [], "text"])
def test_a_document_is_an_object(value: object) -> None:
    with pytest.raises(Invalid):
        of_document(value)


def test_what_is_in_the_trash_stays_there() -> None:
    with pytest.raises(Invalid) as refused:
        of_document({**PLAIN, "deleted_at": AT})
    assert refused.value.code == "import.trashed"


def test_every_field_that_can_be_edited_can_be_imported() -> None:
    exported = task(assignee=Assignee(type="user", id=ADA), links=(Link(LinkType.RELATES, OTHER),))
    document = {name: getattr(exported, name) for name in EDITABLE if getattr(exported, name) is not None}
    said = of_document({**document, "tags": list(exported.tags)})
    assert {name: getattr(said.fields, name) for name in document} == document
