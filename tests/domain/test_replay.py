"""Replaying: what was written is read and folded again, what cannot be is named, and what was allowed is no finding."""

from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.json import decode
from msgspec.structs import replace

from domain.board import BoardTaskArrived, BoardTaskLeft
from domain.events import NAMES, Event, LoggedRow, Recorded, encode, registered
from domain.replay import Fault, Finding, Replay
from domain.streams import KINDS, kind_of
from domain.task import MOVES, TaskMoved
from domain.user import Role, UserJoined, UserRoleChanged
from domain.workflow import STANDARD, Category
from domain.workspace import WorkspaceFounded
from tests.domain.given import ADA, BOB, OTHER, TASK, WORKSPACE, Given, created
from tests.domain.histories import kinds, task_histories
from tests.domain.reviewed import full, project_of_reviews, reviewed


def row_of(logged: Recorded) -> LoggedRow:
    """As a query of the log gives an event."""
    name, version = NAMES[type(logged.event)]
    data, meta = encode(logged.event).decode(), encode(logged.meta).decode()
    return (logged.position, logged.stream_id, logged.version, logged.recorded_at, name, version, meta, data)


def erased(rows: Sequence[LoggedRow], versions: set[int]) -> list[LoggedRow]:
    """The same rows after the data of some versions were erased."""
    return [(*row[:7], None) if row[2] in versions else row for row in rows]


def replayed(rows: Sequence[LoggedRow]) -> tuple[Replay, list[Finding]]:
    """A replay of some streams, and all that it says."""
    replay = Replay()
    return replay, [finding for row in rows for finding in replay.take(row)]


def walks() -> st.SearchStrategy[list[LoggedRow]]:
    """Tasks that move as the standard workflow allows."""
    return st.lists(st.integers(0, 5), max_size=10).map(_walk)


def _walk(choices: list[int]) -> list[LoggedRow]:
    given, status = Given().task(TASK), STANDARD.initial
    for choice in choices:
        allowed = STANDARD.allowed(status)
        given.happened(TASK, moved(allowed[choice % len(allowed)], status))
        status = given.the_task().status
    return [row_of(logged) for logged in given.log]


def moved(move: str, status: str) -> TaskMoved:
    to = STANDARD.next(status, move)
    return MOVES[move](status=to, category=STANDARD.categories[to])


@given(task_histories())
def test_whatever_was_written_is_read_and_folded_again(history: list[Recorded]) -> None:
    """Moves of any workflow among them: those would be refused, and break nothing."""
    replay, found = replayed([row_of(logged) for logged in history])
    assert {finding.fault for finding in found} <= {Fault.REFUSED}
    assert not any(finding.fault.breaks for finding in found)
    assert (replay.streams, replay.names.total(), replay.erased) == (1, len(history), 0)


@given(walks(), st.sets(st.integers(1, 11)))
def test_what_the_workflow_allowed_is_no_finding_whatever_was_erased(rows: list[LoggedRow], versions: set[int]) -> None:
    assert replayed(rows)[1] == []
    replay, found = replayed(erased(rows, versions))
    assert (found, replay.unjudged) == ([], 0)
    assert replay.erased == len([row for row in rows if row[2] in versions])


@given(walks(), st.sampled_from(sorted(MOVES)))
def test_a_move_that_the_workflow_has_not_would_be_refused(rows: list[LoggedRow], move: str) -> None:
    status = _status(rows[-1])
    assume(move not in STANDARD.allowed(status))
    event = MOVES[move](status="anywhere", category=Category.OPEN)
    last = row_of(Given().task(TASK, *[event] * len(rows)).log[-1])
    [finding] = replayed([*rows, last])[1]
    assert finding[:5] == (Fault.REFUSED, TASK, len(rows) + 1, last[0], last[4])
    assert repr(status) in finding.why


def _status(row: LoggedRow) -> str:
    """The status that a creation or a move recorded."""
    return str(decode(row[7] or "{}")["status"])


@given(walks(), st.data())
def test_an_event_that_cannot_be_read_is_named_and_nothing_after_it(rows: list[LoggedRow], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    broken = data.draw(
        st.sampled_from(
            [
                (*rows[at][:7], '{"nonsense":1}'),
                (*rows[at][:7], "not JSON"),
                (*rows[at][:6], "{}", rows[at][7]),
                (*rows[at][:5], 99, *rows[at][6:]),
                (*rows[at][:4], "task.unheard_of", *rows[at][5:]),
            ]
        )
    )
    [finding] = replayed([*rows[:at], broken, *rows[at + 1 :]])[1]
    assert finding[:4] == (Fault.UNREADABLE, TASK, at + 1, rows[at][0])


@given(walks(), st.data())
def test_a_missing_event_is_noticed_by_the_one_after_it(rows: list[LoggedRow], data: st.DataObject) -> None:
    assume(len(rows) > 1)
    at = data.draw(st.integers(0, len(rows) - 2))
    _, found = replayed([*rows[:at], *rows[at + 1 :]])
    assert Fault.DISORDER in {finding.fault for finding in found}


def test_streams_of_every_kind_follow_each_other() -> None:
    given = Given().happened(WORKSPACE, WorkspaceFounded(admin_id=ADA))
    given.happened(BOB, UserJoined(role=Role.MEMBER), UserRoleChanged(role=Role.ADMIN)).task(TASK).task(OTHER)
    rows = sorted(map(row_of, given.log), key=lambda row: (row[1], row[2]))
    replay, found = replayed(rows)
    assert (found, replay.streams, replay.names.total()) == ([], 4, 5)


def test_an_event_of_another_kind_cannot_be_folded() -> None:
    events: list[Event] = [created(), UserRoleChanged(role=Role.ADMIN), created()]
    rows = [row_of(replace(logged, event=event)) for logged, event in zip(_three(), events, strict=True)]
    [finding] = replayed(rows)[1]
    assert (finding.fault, finding.version, finding.name) == (Fault.UNFOLDABLE, 2, "user.role_changed")


def _three() -> list[Recorded]:
    return Given().task(TASK, moved("start", "todo"), moved("pause", "in_progress")).log


def test_every_kind_of_stream_is_known_with_its_first_event() -> None:
    assert set(KINDS) == kinds()
    names = {name for name, _ in registered()}
    for kind, known in KINDS.items():
        assert known.begins in (None, *names)
        assert kind_of(known.begins or f"{kind}.begun") == kind


def test_tasks_of_projects_with_workflows_of_their_own_are_no_finding() -> None:
    given = full(reviewed(project_of_reviews()))
    rows = sorted(map(row_of, given.log), key=lambda row: (row[1], row[2]))
    assert replayed(rows)[1] == []


def test_a_board_begins_with_an_arrival_and_a_number_is_given_more_than_once() -> None:
    given = Given().happened(TASK, BoardTaskArrived(task_id=OTHER), BoardTaskArrived(task_id=ADA))
    assert replayed([row_of(logged) for logged in given.log])[1] == []
    [finding] = replayed([row_of(Given().happened(TASK, BoardTaskLeft(task_id=OTHER)).log[0])])[1]
    assert (finding.fault, finding.name) == (Fault.REFUSED, "board.task_left")
