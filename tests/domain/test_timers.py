"""What a timer says and what a decision does then are the same, whatever has happened to a task."""

import msgspec
from hypothesis import given as example
from hypothesis import strategies as st

from commands.deciding import Context
from commands.streams import Folded
from commands.waking import WakeTask
from domain import task_timers, timers
from domain.events import Erased, Meta, Recorded, name_of
from domain.instant import LATEST, Instant, instant
from domain.reminder import Date, ReminderAdded, ReminderEvent, ReminderFired, ReminderRemoved
from domain.streams import fold
from domain.talk import Part, stream_of
from domain.task_series import TaskSeriesJoined
from domain.task_timers import Timed
from tests.domain.given import ADA, TASK, WORKSPACE, at
from tests.domain.histories import INSTANTS, task_histories

REMINDERS = stream_of(TASK, Part.REMINDERS)
META = Meta(actor=ADA, correlation_id="a request", causation_id=TASK)
IDS = st.sampled_from([f"00000000-0000-7000-8000-00000000050{n}" for n in range(3)])
ABOUT = {"task_id": st.just(TASK), "user_id": st.just(ADA), "reminder_id": IDS}
EVENTS: st.SearchStrategy[ReminderEvent] = st.one_of(
    st.builds(ReminderAdded, **ABOUT, at=INSTANTS),
    st.builds(ReminderAdded, **ABOUT, relative_to=st.sampled_from(Date), minutes_before=st.integers(0, 527_040)),
    st.builds(ReminderRemoved, **ABOUT),
    st.builds(ReminderFired, **ABOUT, due_at=INSTANTS),
)
NOW = instant(LATEST)


def log_of(history: list[Recorded], reminders: list[ReminderEvent], dice: list[int]) -> list[Recorded]:
    """Both streams, mixed somehow."""
    log, mine = list(history), [Recorded(0, REMINDERS, n, event, META, at(n)) for n, event in enumerate(reminders, 1)]
    for event in mine:
        log.insert(1 + dice.pop() % len(log), event)
    ours = [each.stream_id == REMINDERS for each in log]
    order = iter(mine)
    return [next(order) if is_ours else event for event, is_ours in zip(log, ours, strict=True)]


def erased(event: Recorded) -> Recorded:
    """The same without what it said."""
    gone = Erased(name=name_of(event.event))
    return Recorded(event.position, event.stream_id, event.version, gone, event.meta, event.recorded_at)


def decided(log: list[Recorded], now: Instant) -> list[str]:
    """What waking the task at a time comes to."""
    folded = {}
    for id_ in (TASK, REMINDERS):
        mine = [event for event in log if event.stream_id == id_]
        folded[id_] = Folded(len(mine), fold(mine), 0)

    def known(stream_id: str, /) -> Folded:
        return folded.get(stream_id) or Folded(0, None, 0)

    return [name_of(fact.event) for fact in WakeTask(TASK, now).decide(Context(WORKSPACE, ADA, known))]


@example(task_histories(), st.lists(EVENTS, max_size=4), st.lists(st.integers(0, 50), min_size=4), INSTANTS, st.data())
def test_a_task_is_woken_exactly_when_its_timer_says(
    history: list[Recorded], reminders: list[ReminderEvent], dice: list[int], now: Instant, data: st.DataObject
) -> None:
    alone = [event for event in history if not isinstance(event.event, TaskSeriesJoined)]  # no series follows here
    log = log_of(alone, reminders, list(dice))
    if data.draw(st.booleans()):
        n = data.draw(st.integers(1, len(log))) - 1
        if log[n].stream_id == TASK:  # of an erased reminder nobody can tell to which task it belonged
            log[n] = erased(log[n])
    state = Timed()
    for event in log:
        assert timers.thing_of(event) == ("task", TASK)
        state = task_timers.evolve(state, event)
    for moment in (now, NOW):
        is_due = state.fires_at is not None and state.fires_at <= moment
        assert bool(decided(log, moment)) is is_due, state


def test_of_an_erased_reminder_nobody_knows_the_task() -> None:
    assert timers.thing_of(Recorded(1, REMINDERS, 1, Erased(name="reminder.added"), META, at(1))) is None
    assert timers.thing_of(Recorded(1, ADA, 1, Erased(name="user.joined"), META, at(1))) is None


@example(task_histories(), st.lists(EVENTS, max_size=4))
def test_a_state_comes_back_from_its_row_as_it_was(history: list[Recorded], reminders: list[ReminderEvent]) -> None:
    state = Timed()
    for event in log_of(history, reminders, [1] * 4):
        state = task_timers.evolve(state, event)
    assert timers.decoded("task", msgspec.json.decode(msgspec.json.encode(state))) == state
