"""Stored events are a file format for ever: each name and version has a golden document here that still decodes.

The documents were written once, by the encoder of their day, with every field set. Never change one. An event of
another shape is the next version of its name, with a document of its own beside the old one.
"""

from pathlib import Path

import msgspec
import orjson
import pytest

from domain import streams
from domain.comment import CommentPosted
from domain.events import NAMES, Event, Meta, Recorded, decode, encode, name_of, registered
from domain.streams import kind_of
from domain.team import TeamCreated
from tests.domain.given import ADA, TASK, at, created

EVENTS = Path(__file__).parent / "events"
BEGINS: dict[str, Event] = {
    "task": created(),
    "team": TeamCreated(name="Operations"),
    "comment": CommentPosted(task_id=TASK, body="Well."),
}
META = Meta(actor=ADA, correlation_id="a request", causation_id=TASK)


def golden(name: str, version: int) -> bytes:
    return (EVENTS / f"{name}.{version}.json").read_bytes()


def test_every_registered_event_has_its_golden_document_and_no_other_is_there() -> None:
    assert sorted(path.name for path in EVENTS.iterdir()) == sorted(f"{name}.{n}.json" for name, n in registered())


@pytest.mark.parametrize(("name", "version"), registered())
def test_a_golden_document_decodes_and_keeps_its_meaning(name: str, version: int) -> None:
    document = golden(name, version)
    event = decode(name, version, document)
    assert decode(name, version, encode(event)) == event
    if NAMES[type(event)] == (name, version):  # an old version may decode to a record that writes a newer one
        assert orjson.loads(encode(event)) == orjson.loads(document)


@pytest.mark.parametrize(("name", "version"), registered())
def test_a_golden_document_sets_every_field_of_its_event(name: str, version: int) -> None:
    event = decode(name, version, golden(name, version))
    assert orjson.loads(golden(name, version)).keys() == set(event.__struct_fields__)


@pytest.mark.parametrize(("name", "version"), registered())
def test_a_golden_document_folds(name: str, version: int) -> None:
    history: list[Event] = [decode(name, version, golden(name, version))]
    begins = BEGINS.get(kind_of(name))
    if begins is not None and name != name_of(begins):
        history.insert(0, begins)
    logged = [Recorded(n, TASK, n, event, META, at(n)) for n, event in enumerate(history, 1)]
    state = streams.fold(logged)
    assert state is not None
    assert state.version == len(history)


def test_what_the_documents_say_is_what_they_said_when_they_were_written() -> None:
    read = decode("task.created", 1, golden("task.created", 1))
    assert msgspec.to_builtins(read) == {
        "title": "Write the report",
        "status": "todo",
        "category": "open",
        "description": "Two pages.\nNo more — ünïcode 😀.",
        "priority": "high",
        "due_at": "2026-11-21T09:30:00.000000Z",
        "tags": ("work", "q4"),
        "estimate_minutes": 90,
        "project_id": "00000000-0000-7000-8000-000000000301",
        "key": "APP-17",
        "parent_id": "00000000-0000-7000-8000-000000000102",
        "start_at": "2026-11-20T08:00:00.000000Z",
        "due_on": "2026-11-21",
        "due_zone": "Europe/Berlin",
        "imported": {
            "id": "JIRA-17",
            "created_at": "2025-11-21T09:30:00.000000Z",
            "completed_at": "2025-11-22T09:30:00.000000Z",
        },
    }
