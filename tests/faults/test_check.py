"""The checker itself: a good run has no violation, and each planted one is named."""

import asyncio
import copy
from collections.abc import Callable

import psycopg
import pytest

from domain.user import Role
from tests.faults.check import check, report
from tests.faults.ledger import Answer, Entry
from tests.faults.load import Load
from tests.faults.promises import Promise
from tests.faults.recording import KeyRow, Recording, read
from tests.faults.run import record
from tests.faults.watchers import Frame, Session
from tests.house import Database, House, Servers

_recorded: list[Recording] = []


async def _short_run(database: Database, servers: Servers) -> Recording:
    async def during(load: Load) -> None:
        assert await load.more(100)

    async with House.open(database, servers, access_token_seconds=3600) as house:
        return await record(house.base, database.owner_url, "plant", during, writers=8)


@pytest.fixture
def recording(request: pytest.FixtureRequest, servers: Servers) -> Recording:
    """A good run without faults, made once; each test gets a copy to spoil."""
    if not _recorded:
        _recorded.append(asyncio.run(_short_run(request.getfixturevalue("database"), servers)))
    return copy.deepcopy(_recorded[0])


def test_a_good_run_has_no_violation(recording: Recording) -> None:
    assert not check(recording), report(check(recording))
    assert recording.head > 100
    assert all(entry.answers for entry in recording.ledger)
    assert all(watched.finished >= recording.head for watched in recording.watched)


def drop_a_position(recording: Recording) -> None:
    del recording.events[recording.head // 2]


def double_a_version(recording: Recording) -> None:
    index = next(index for index, event in enumerate(recording.events) if event.version > 1)
    recording.events[index] = recording.events[index]._replace(version=1)


def move_the_head(recording: Recording) -> None:
    recording.head += 1


def move_a_stream(recording: Recording) -> None:
    recording.streams[recording.events[-1].stream_id] += 1


def turn_the_clock_back(recording: Recording) -> None:
    recording.events[-1] = recording.events[-1]._replace(recorded_at="2000-01-01T00:00:00.000000Z")


def alter_data(recording: Recording) -> None:
    index = next(index for index, event in enumerate(recording.events) if event.name == "task.created")
    data = recording.events[index].data.replace("task", "risk", 1)
    recording.events[index] = recording.events[index]._replace(data=data)


def leave_unanswered(recording: Recording) -> None:
    recording.ledger[0].answers.clear()


def lose_an_effect(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt and entry.path == "/tasks")
    recording.keys.remove(_key(recording, entry))


def commit_twice(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt and entry.path == "/tasks")
    recording.keys.append(_key(recording, entry)._replace(command_id="another"))


def scatter_an_effect(recording: Recording) -> None:
    _replace_key(recording, lambda row: row._replace(position=row.position + 1))


def lie_in_a_receipt(recording: Recording) -> None:
    _answer(recording, lambda answer: answer._replace(version=(answer.version or 0) + 1))


def show_another_task(recording: Recording) -> None:
    _answer(recording, lambda answer: answer._replace(body={**answer.body, "title": "another"}))


def answer_a_retry_otherwise(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt)
    answer = entry.answers[-1]
    entry.answers.append(answer._replace(replayed=True, position=(answer.position or 0) + 1))


def execute_a_retry(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt and not entry.answers[0].replayed)
    entry.answers.append(entry.answers[0])


def slip_an_event_in(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt)
    recording.ledger.remove(entry)


def lose_a_key(recording: Recording) -> None:
    _replace_key(recording, lambda row: row._replace(command_id="none"))


def act_for_another(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt and entry.path == "/tasks")
    other = next(user for user in recording.users if user != entry.user_id)
    _replace_key(recording, lambda row: row._replace(principal=other))
    entry.user_id = other


def refuse_what_was_done(recording: Recording) -> None:
    entry = next(entry for entry in recording.ledger if entry.receipt)
    entry.answers = [Answer(409, None, None, None, False, "task.illegal_move")]


def spoil_a_row(recording: Recording) -> None:
    task_id, document = next(iter(recording.tasks.items()))
    recording.tasks[task_id] = document.replace('"title":"', '"title":"not ')


def lose_a_row(recording: Recording) -> None:
    recording.tasks.popitem()


def spoil_a_user(recording: Recording) -> None:
    user_id, (version, position, _) = next(iter(recording.users.items()))
    recording.users[user_id] = (version, position, "auditor")


def stop_a_projection(recording: Recording) -> None:
    recording.checkpoints["tasks"] = (recording.head - 1, None)


def fail_a_projection(recording: Recording) -> None:
    recording.checkpoints["users"] = (recording.head, "ValueError: poison")


def forget_hello(recording: Recording) -> None:
    del _session(recording).frames[0]


def tell_another_epoch(recording: Recording) -> None:
    _session(recording).frames[0]["epoch"] = "another"


def drop_a_frame(recording: Recording) -> None:
    _session(recording).frames.remove(_change(recording))


def double_a_frame(recording: Recording) -> None:
    frames = _session(recording).frames
    frames.insert(frames.index(_change(recording)), _change(recording))


def repeat_a_finished_frame(recording: Recording) -> None:
    session = _session(recording)
    again = Session(session.finished, [session.frames[0], _change(recording)], 1012)
    recording.watched[0].sessions.append(again)


def swap_two_frames(recording: Recording) -> None:
    frames = _session(recording).frames
    first, second = [index for index, frame in enumerate(frames) if frame["type"] == "change"][:2]
    frames[first], frames[second] = frames[second], frames[first]


def show_what_is_not_theirs(recording: Recording) -> None:
    """Let the admin's frames come to a member."""
    member = next(watched for watched in recording.watched if watched.name == "a member")
    member.sessions = recording.watched[0].sessions


def invent_a_change(recording: Recording) -> None:
    _change(recording)["task_id"] = recording.watched[0].user_id


def remove_instead(recording: Recording) -> None:
    frame = _change(recording)
    frame["op"] = "removed"
    del frame["task"]


def show_an_old_task(recording: Recording) -> None:
    _change(recording)["task"]["title"] = "an old title"


def pass_a_watermark(recording: Recording) -> None:
    frames, change = _session(recording).frames, _change(recording)
    frames.insert(frames.index(change), {"type": "through", "position": change["position"]})


def resync_for_nothing(recording: Recording) -> None:
    _session(recording).frames.append({"type": "resync", "reason": "role_changed"})


def resync_for_another_reason(recording: Recording) -> None:
    _session(recording).frames.append({"type": "resync", "reason": "epoch_changed"})


def change_a_role_unsaid(recording: Recording) -> None:
    recording.roles[recording.watched[0].user_id].append((recording.head // 2, Role.MANAGER))


def resume_too_late(recording: Recording) -> None:
    session = _session(recording)
    recording.watched[0].sessions.append(Session(session.finished + 1, session.frames[:1]))


def stay_behind(recording: Recording) -> None:
    session = _session(recording)
    session.frames = [frame for frame in session.frames if frame.get("position", 0) < recording.head - 5]


def end_without_a_word(recording: Recording) -> None:
    _session(recording).code = 1011


def complain(recording: Recording) -> None:
    recording.complaints.append("POST /tasks: 500")


PLANTS: dict[Callable[[Recording], None], Promise] = {
    drop_a_position: Promise.DENSE_POSITIONS,
    double_a_version: Promise.DENSE_VERSIONS,
    move_the_head: Promise.TRUE_HEADS,
    move_a_stream: Promise.TRUE_HEADS,
    turn_the_clock_back: Promise.MONOTONIC_TIME,
    alter_data: Promise.TRUE_DIGESTS,
    leave_unanswered: Promise.ANSWERED,
    lose_an_effect: Promise.ONCE_IN_THE_LOG,
    commit_twice: Promise.ONCE_IN_THE_LOG,
    scatter_an_effect: Promise.ONCE_IN_THE_LOG,
    lie_in_a_receipt: Promise.TRUE_RECEIPT,
    show_another_task: Promise.TRUE_RECEIPT,
    answer_a_retry_otherwise: Promise.EQUAL_REPLAYS,
    execute_a_retry: Promise.EQUAL_REPLAYS,
    slip_an_event_in: Promise.NO_EFFECT_UNKNOWN,
    lose_a_key: Promise.NO_EFFECT_UNKNOWN,
    act_for_another: Promise.NO_EFFECT_UNKNOWN,
    refuse_what_was_done: Promise.REFUSED_IS_VOID,
    spoil_a_row: Promise.ROWS_ARE_THE_FOLD,
    lose_a_row: Promise.ROWS_ARE_THE_FOLD,
    spoil_a_user: Promise.ROWS_ARE_THE_FOLD,
    stop_a_projection: Promise.AT_THE_HEAD,
    fail_a_projection: Promise.AT_THE_HEAD,
    forget_hello: Promise.HELLO,
    tell_another_epoch: Promise.HELLO,
    drop_a_frame: Promise.NO_HOLE,
    stay_behind: Promise.NO_HOLE,
    double_a_frame: Promise.NO_DOUBLE,
    repeat_a_finished_frame: Promise.NO_DOUBLE,
    swap_two_frames: Promise.IN_ORDER,
    show_what_is_not_theirs: Promise.NOTHING_ELSE,
    invent_a_change: Promise.NOTHING_ELSE,
    remove_instead: Promise.NOTHING_ELSE,
    show_an_old_task: Promise.TRUE_FRAMES,
    pass_a_watermark: Promise.TRUE_WATERMARKS,
    resync_for_nothing: Promise.RESYNC_WITH_CAUSE,
    resync_for_another_reason: Promise.RESYNC_WITH_CAUSE,
    change_a_role_unsaid: Promise.RESYNC_WITH_CAUSE,
    resume_too_late: Promise.RESUMABLE,
    end_without_a_word: Promise.HONEST_ENDS,
    complain: Promise.HONEST_ANSWERS,
}


def test_every_promise_has_a_plant() -> None:
    assert set(PLANTS.values()) == set(Promise)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_violation_is_named(recording: Recording, plant: Callable[[Recording], None]) -> None:
    plant(recording)
    assert PLANTS[plant] in {violation.promise for violation in check(recording)}


async def test_what_the_owner_alters_in_the_database_is_named(database: Database, servers: Servers) -> None:
    await _short_run(database, servers)
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("UPDATE tasks SET title = 'altered' WHERE ctid = (SELECT ctid FROM tasks LIMIT 1)")
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute(
            """UPDATE events SET data = '{"role":"admin"}' WHERE name = 'user.joined' AND position = 3"""
        )
        connection.execute("ALTER TABLE events ENABLE TRIGGER ALL")
    named = {violation.promise for violation in check(read(database.owner_url))}
    assert named >= {Promise.ROWS_ARE_THE_FOLD, Promise.TRUE_DIGESTS}


def _session(recording: Recording) -> Session:
    """The admin's only one."""
    (session,) = recording.watched[0].sessions
    return session


def _change(recording: Recording) -> Frame:
    """One in the middle that shows a task."""
    changes = [frame for frame in _session(recording).frames if frame.get("op") == "upsert"]
    return changes[len(changes) // 2]


def _entry(recording: Recording) -> Entry:
    return next(entry for entry in recording.ledger if entry.receipt and entry.path == "/tasks")


def _answer(recording: Recording, change: Callable[[Answer], Answer]) -> None:
    entry = _entry(recording)
    entry.answers = [change(answer) for answer in entry.answers]


def _key(recording: Recording, entry: Entry) -> KeyRow:
    return next(row for row in recording.keys if (row.principal, row.key) == (entry.user_id, f"key:{entry.key}"))


def _replace_key(recording: Recording, change: Callable[[KeyRow], KeyRow]) -> None:
    row = _key(recording, _entry(recording))
    recording.keys[recording.keys.index(row)] = change(row)
