"""The codec of the log: what is written reads back as the same, and what is unknown is said."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import messages, streams
from domain.events import (
    NAMES,
    Erased,
    Event,
    LoggedRow,
    Meta,
    Recorded,
    UnknownEvent,
    decode,
    decode_meta,
    encode,
    name_of,
    recorded,
    registered,
    stored,
)
from domain.messages import AccessChange, Appended, Projected, TaskChange
from domain.streams import KINDS
from domain.task import TaskCreated, fold
from domain.user import Role
from domain.workflow import Category
from tests.domain.given import ADA, TASK, WORKSPACE
from tests.domain.histories import EVENTS, IDS, METAS, TEXT, kinds, task_histories


def row_of(logged: Recorded) -> LoggedRow:
    """As a query of the log gives an event."""
    name, version = NAMES[type(logged.event)]
    data, meta = encode(logged.event).decode(), encode(logged.meta).decode()
    return (logged.position, logged.stream_id, logged.version, logged.recorded_at, name, version, meta, data)


@given(EVENTS)
def test_an_event_reads_back_as_the_same_event(event: Event) -> None:
    name, version = NAMES[type(event)]
    assert decode(name, version, encode(event)) == event
    assert decode(name, version, encode(event).decode()) == event
    assert name_of(event) == name


@given(METAS)
def test_an_envelope_reads_back_as_the_same(meta: Meta) -> None:
    assert decode_meta(encode(meta)) == meta


@given(task_histories())
def test_a_log_that_was_written_and_read_folds_to_the_same_state(history: list[Recorded]) -> None:
    read = [recorded(row_of(logged)) for logged in history]
    assert read == history
    assert fold(read) == fold(history)
    assert streams.fold(read) == fold(history)


@given(task_histories(), st.integers(0, 12))
def test_a_fold_can_stop_anywhere_and_go_on(history: list[Recorded], stop: int) -> None:
    assert fold(history[stop:], fold(history[:stop])) == fold(history)


@given(task_histories())
def test_a_state_stands_where_its_last_event_stands(history: list[Recorded]) -> None:
    task = fold(history)
    assert task is not None
    last = history[-1]
    assert (task.id, task.version, task.position) == (last.stream_id, last.version, last.position)
    creator = getattr(history[0].event, "created_by", None) or history[0].meta.actor
    assert (task.created_by, task.created_at) == (creator, history[0].recorded_at)


@given(task_histories())
def test_a_task_reads_back_from_the_document_that_clients_get(history: list[Recorded]) -> None:
    task = fold(history)
    assert msgspec.json.decode(msgspec.json.encode(task), type=type(task)) == task


def test_fields_at_their_defaults_are_not_written() -> None:
    assert encode(TaskCreated(title="t", status="todo", category=Category.OPEN)) == (
        b'{"title":"t","status":"todo","category":"open"}'
    )


def test_every_registered_event_has_a_name_of_a_known_kind_in_the_past_tense() -> None:
    assert kinds() == set(KINDS)
    assert {(name, version) for name, version in NAMES.values()} <= set(registered())
    past = ("ed", "left", "withdrawn", "taken", "given", "read", "unread", "read_through", "made", "undone")
    for name, _ in registered():
        assert name.endswith(past), name


@pytest.mark.parametrize(("name", "version"), [("task.evaporated", 1), ("task.created", 99), ("", 0)])
def test_an_event_of_a_newer_program_is_refused_by_name(name: str, version: int) -> None:
    with pytest.raises(UnknownEvent, match=f"{name!r} version {version}") as refused:
        decode(name, version, b"{}")
    assert refused.value.code == "event.unknown"
    with pytest.raises(UnknownEvent):  # erased or not: what it was has to be known
        decode(name, version, None)


@pytest.mark.parametrize(
    "data",
    [b"{}", b'{"title":1,"status":"todo","category":"open"}', b'{"title":"t","status":"s","category":"open","more":1}'],
)
def test_data_of_another_shape_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode("task.created", 1, data)


def test_erased_data_read_as_what_the_event_was() -> None:
    assert decode("task.assigned", 1, None) == Erased(name="task.assigned")
    assert name_of(Erased(name="task.assigned")) == "task.assigned"


def test_a_name_and_version_are_registered_once() -> None:
    before = registered()
    with pytest.raises(ValueError, match=r"task\.created version 1 is registered twice"):
        stored("task.created")(TaskCreated)
    assert registered() == before


@given(IDS, st.integers(0, 2**63 - 1))
def test_a_hint_reads_back_as_the_same(workspace_id: str, position: int) -> None:
    appended = Appended(workspace_id, position, frozenset({"task", "user"}))
    assert messages.decode_appended(messages.encode(appended)) == appended


@given(TEXT, st.none() | st.frozensets(IDS), st.sampled_from(Role))
def test_a_publication_reads_back_as_the_same(title: str, audience: frozenset[str] | None, role: Role) -> None:
    document = msgspec.Raw(msgspec.json.encode({"title": title}))
    change = TaskChange(7, TASK, document, None, audience)
    projected = Projected(WORKSPACE, "tasks", 6, 8, [change], [AccessChange(8, ADA, role)])
    read = messages.decode_projected(messages.encode(projected))
    assert read.tasks is not None
    assert (bytes(read.tasks[0].task), read.tasks[0].after) == (bytes(document), audience)
    assert (read.after, read.to, read.accesses) == (6, 8, [AccessChange(8, ADA, role)])
    catch_up = Projected(WORKSPACE, "tasks", 6, 8, None, [])
    assert messages.decode_projected(messages.encode(catch_up)) == catch_up
