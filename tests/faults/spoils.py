"""Ways to spoil the record of a good run: each breaks one promise, and the checker must name it."""

from collections.abc import Callable
from typing import Final

from tests.faults.ledger import Answer, Entry
from tests.faults.promises import Promise
from tests.faults.reads import Read
from tests.faults.recording import KeyRow, Recording, View
from tests.faults.watchers import Frame, Session


def drop_a_position(recording: Recording) -> None:
    del recording.events[recording.head // 2]


def double_a_version(recording: Recording) -> None:
    index = next(index for index, event in enumerate(recording.events) if event.version > 1)
    recording.events[index] = recording.events[index]._replace(version=1)


def move_the_head(recording: Recording) -> None:
    recording.head += 1


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
    _answer(recording, lambda answer: answer._replace(body=answer.body.replace(b'"title":"', b'"title":"no ')))


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
    entry.answers = [Answer(409, None, None, None, False, b"task.illegal_move")]


def spoil_a_row(recording: Recording) -> None:
    task_id, document = next(iter(recording.tasks.items()))
    recording.tasks[task_id] = document.replace(b'"title":"', b'"title":"not ')


def lose_a_row(recording: Recording) -> None:
    recording.tasks.popitem()


def spoil_a_user(recording: Recording) -> None:
    user_id, (version, position, _) = next(iter(recording.users.items()))
    recording.users[user_id] = (version, position, "auditor")


def stop_a_projection(recording: Recording) -> None:
    recording.checkpoints["tasks"] = (recording.head - 1, None)


def fail_a_projection(recording: Recording) -> None:
    recording.checkpoints["users"] = (recording.head, "ValueError: poison")


def break_a_stream(recording: Recording) -> None:
    """Make another task's creation the second event of a task."""
    events = recording.events
    index = next(index for index, event in enumerate(events) if event.name.startswith("task.") and event.version == 2)
    created = next(event for event in events if event.name == "task.created")
    events[index] = events[index]._replace(name="task.created", data=created.data)


def lose_the_order(recording: Recording) -> None:
    """Say that the first creation was sent when everything else was done."""
    entry = _entry(recording)
    entry.sent, entry.acknowledged = 1 << 40, 1 << 41


def publish_early(recording: Recording) -> None:
    recording.early.append("tasks published 7 when its checkpoint was 6")


def write_twice(recording: Recording) -> None:
    recording.overlaps.append("tasks was taken in twice: in (6, 7] and in (6, 9)")


def answer_from_before(recording: Recording) -> None:
    recording.reads[0] = recording.reads[0]._replace(asked=recording.head + 1)


def turn_a_read_back(recording: Recording) -> None:
    last = max(recording.reads, key=lambda read: read.position)
    recording.reads.append(Read(last.ended + 1, last.ended + 2, 0, last.position - 1, ()))


def list_an_old_row(recording: Recording) -> None:
    read = next(read for read in recording.reads if read.items)
    recording.reads.append(read._replace(position=recording.head))


def spoil_a_list(recording: Recording) -> None:
    index = next(index for index, read in enumerate(recording.reads) if read.items)
    items = tuple(item.replace(b'"title":"', b'"title":"no ') for item in recording.reads[index].items)
    recording.reads[index] = recording.reads[index]._replace(items=items)


def conflate_uncounted(recording: Recording) -> None:
    """Drop a change of a task that changed again later, and say nothing of it."""
    frames = session_of(recording).frames
    frames.remove(superseded(recording))


def forget_hello(recording: Recording) -> None:
    del session_of(recording).frames[0]


def tell_another_epoch(recording: Recording) -> None:
    session_of(recording).frames[0].epoch = "another"


def drop_a_frame(recording: Recording) -> None:
    session_of(recording).frames.remove(_change(recording))


def double_a_frame(recording: Recording) -> None:
    frames = session_of(recording).frames
    frames.insert(frames.index(_change(recording)), _change(recording))


def repeat_a_finished_frame(recording: Recording) -> None:
    session = session_of(recording)
    again = Session(session.finished, [session.frames[0], _change(recording)], 1012)
    recording.watched[0].sessions.append(again)


def swap_two_frames(recording: Recording) -> None:
    frames = session_of(recording).frames
    first, second = [index for index, frame in enumerate(frames) if frame.type == "change"][:2]
    frames[first], frames[second] = frames[second], frames[first]


def show_what_is_not_theirs(recording: Recording) -> None:
    """Let the admin's frames come to a member."""
    member = next(watched for watched in recording.watched if watched.name == "a member")
    member.sessions = recording.watched[0].sessions


def invent_a_change(recording: Recording) -> None:
    _change(recording).task_id = recording.watched[0].user_id


def remove_instead(recording: Recording) -> None:
    frame = _change(recording)
    frame.op = "removed"


def show_an_old_task(recording: Recording) -> None:
    frame = _change(recording)
    frame.task = bytes(frame.task).replace(b'"title":"', b'"title":"old ')


def pass_a_watermark(recording: Recording) -> None:
    frames, change = session_of(recording).frames, _change(recording)
    frames.insert(frames.index(change), Frame("through", position=change.position))


def resync_for_nothing(recording: Recording) -> None:
    session_of(recording).frames.append(Frame("resync", reason="role_changed"))


def resync_for_another_reason(recording: Recording) -> None:
    session_of(recording).frames.append(Frame("resync", reason="epoch_changed"))


def change_a_role_unsaid(recording: Recording) -> None:
    views = recording.views[recording.watched[0].user_id]
    views.append(View(recording.head // 2, views[-1].eyes, "role_changed"))


def forget_what_comes_to_be_seen(recording: Recording) -> None:
    """Say that the admin came to see a task in the middle, of which no frame tells."""
    views = recording.views[recording.watched[0].user_id]
    (_, task_id), change = next(iter(recording.folds.changes.items()))
    told = {task_id: change._replace(before=None)}
    views.append(View(recording.head // 2, views[-1].eyes, "", told))


def resume_too_late(recording: Recording) -> None:
    session = session_of(recording)
    recording.watched[0].sessions.append(Session(session.finished + 1, session.frames[:1]))


def stay_behind(recording: Recording) -> None:
    session = session_of(recording)
    session.frames = [frame for frame in session.frames if frame.position < recording.head - 5]


def end_without_a_word(recording: Recording) -> None:
    session_of(recording).code = 1011


def complain(recording: Recording) -> None:
    recording.complaints.append("POST /tasks: 500")


PLANTS: Final[dict[Callable[[Recording], None], Promise]] = {
    drop_a_position: Promise.DENSE_POSITIONS,
    double_a_version: Promise.DENSE_VERSIONS,
    move_the_head: Promise.TRUE_HEAD,
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
    break_a_stream: Promise.FOLDABLE,
    lose_the_order: Promise.REAL_TIME_ORDER,
    publish_early: Promise.PUBLISHED_AFTER_COMMIT,
    write_twice: Promise.ONE_WRITER,
    answer_from_before: Promise.READ_FROM,
    turn_a_read_back: Promise.MONOTONIC_READS,
    list_an_old_row: Promise.TRUE_LISTS,
    spoil_a_list: Promise.TRUE_LISTS,
    conflate_uncounted: Promise.NO_HOLE,
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
    forget_what_comes_to_be_seen: Promise.NO_HOLE,
    resume_too_late: Promise.RESUMABLE,
    end_without_a_word: Promise.HONEST_ENDS,
    complain: Promise.HONEST_ANSWERS,
}


def session_of(recording: Recording) -> Session:
    """The admin's only one."""
    (session,) = recording.watched[0].sessions
    return session


def superseded(recording: Recording) -> Frame:
    """A change of a task of which a later one came too."""
    changes = [frame for frame in session_of(recording).frames if frame.type == "change"]
    latest = {frame.task_id: frame for frame in changes}
    return next(frame for frame in changes if latest[frame.task_id] is not frame)


def _change(recording: Recording) -> Frame:
    """One in the middle that shows a task."""
    changes = [frame for frame in session_of(recording).frames if frame.op == "upsert"]
    return changes[len(changes) // 2]


def _entry(recording: Recording) -> Entry:
    return next(entry for entry in recording.ledger if entry.receipt and entry.path == "/tasks")


def _answer(recording: Recording, change: Callable[[Answer], Answer]) -> None:
    entry = _entry(recording)
    entry.answers = [change(answer) for answer in entry.answers]


def _key(recording: Recording, entry: Entry) -> KeyRow:
    return next(row for row in recording.keys if (row.principal, row.key) == (entry.user_id, entry.key))


def _replace_key(recording: Recording, change: Callable[[KeyRow], KeyRow]) -> None:
    row = _key(recording, _entry(recording))
    recording.keys[recording.keys.index(row)] = change(row)
