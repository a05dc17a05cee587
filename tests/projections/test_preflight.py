"""The preflight: a healthy history passes, and whatever this program could not work with is named."""

import tracemalloc
from collections import Counter
from typing import Any

import orjson
import psycopg
import pytest

from commands.ids import new_id
from commands.task import MoveTask
from domain.replay import Fault, Finding
from domain.task import TaskCompleted, TaskCreated, TaskEdited, TaskReopened, TaskStarted
from domain.workflow import Category
from projections import preflight
from projections.database import Pool
from projections.preflight import Log, Preflight
from tests.commands.desk import Connection, Desk, Team, found
from tests.projections.histories import History
from tests.projections.reading import creation, log_events

META = '{"actor":"x","correlation_id":"","causation_id":"x"}'


class Result:
    """What a preflight found."""

    def __init__(self) -> None:
        self.findings: list[tuple[str, Finding]] = []
        self.progress: list[int] = []

    def found(self, log: Log, finding: Finding) -> None:
        self.findings.append((log.slug, finding))

    @property
    def only(self) -> Finding:
        [(_, finding)] = self.findings
        return finding


async def replayed(pool: Pool, slug: str | None = None) -> tuple[Preflight, Result]:
    """A preflight as the program connects: as a role that may only read the log."""
    result = Result()
    async with pool.connection() as connection:
        work = Preflight(connection, result.found, result.progress.append)
        await work.run(slug)
    assert Counter(finding.fault for _, finding in result.findings) == work.faults
    return work, result


async def put(owner: Connection, team: Team, stream_id: str, version: int, name: str, **columns: Any) -> int:
    """Put an event at the end of a log past all rules, as only the owner of the tables can. Answers its position."""
    data = columns.get("data", {})
    cursor = await owner.execute(
        """
        WITH head AS (UPDATE logs SET position = position + 1 WHERE workspace_id = %(workspace)s RETURNING position)
        INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                            digest, salt, meta, data)
        SELECT %(workspace)s, position, %(stream)s, %(version)s, %(schema)s, clock_timestamp(), %(name)s,
               sha256(''), uuid_send(gen_random_uuid()), %(meta)s, %(data)s
        FROM head RETURNING position
        """,
        {
            "workspace": team.workspace_id,
            "stream": stream_id,
            "version": version,
            "name": name,
            "schema": columns.get("schema", 1),
            "meta": columns.get("meta", META),
            "data": data if isinstance(data, str) else orjson.dumps(data).decode(),
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def tamper(owner: Connection, statement: str, parameters: tuple[object, ...]) -> None:
    """Do what no trigger allows, as the owner of the tables can who first drops them."""
    for table in ("events", "logs"):
        await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
    await owner.execute(statement.encode(), parameters)


async def test_a_healthy_history_passes_and_is_counted(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    other = await found(owner)
    await History(desk, team, 1).go_on(150)
    await History(desk, other, 2).go_on(50)
    work, result = await replayed(pool)
    assert result.findings == []
    assert work.passed
    cursor = await owner.execute("SELECT name, schema_version, count(*) FROM events GROUP BY 1, 2")
    assert {(name, version): count for name, version, count in await cursor.fetchall()} == work.names
    cursor = await owner.execute(
        "SELECT count(*), count(DISTINCT stream_id), (SELECT count(*) FROM workspaces) FROM events"
    )
    assert await cursor.fetchone() == (work.events, work.streams, work.workspaces)
    assert result.progress[-1] == work.events
    assert (await replayed(pool, f"w{other.workspace_id}"))[0].workspaces == 1
    assert (await replayed(pool, "nobody"))[0].workspaces == 0


async def test_slices_do_not_show(
    desk: Desk, owner: Connection, team: Team, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams are cut anywhere, positions too; what is wrong beyond the first slice is found, and nothing else."""
    await History(desk, team, 3).go_on(100)
    whole, _ = await replayed(pool)
    for size in (1, 7):
        monkeypatch.setattr(preflight, "EVENTS_A_SLICE", size)
        monkeypatch.setattr(preflight, "POSITIONS_A_SLICE", size)
        work, result = await replayed(pool)
        assert (work.events, work.streams, work.names) == (whole.events, whole.streams, whole.names)
        assert result.findings == []
    poisoned = new_id()
    last = await put(owner, team, poisoned, 1, "task.created", data={"nonsense": 1})
    _, result = await replayed(pool)
    found = [(finding.fault, finding.stream_id, finding.position) for _, finding in result.findings]
    assert found == [(Fault.UNREADABLE, poisoned, last)]


@pytest.mark.parametrize(
    ("name", "columns", "why"),
    [
        ("task.unheard_of", {}, "no event is known as 'task.unheard_of' version 1"),
        ("task.created", {"schema": 2}, "no event is known as 'task.created' version 2"),
        ("robot.built", {}, "there are no streams of the kind 'robot'"),
        ("task.created", {"data": {"title": 7}}, "Expected `str`, got `int` - at `$.title`"),
        ("task.created", {"data": {"nonsense": 1}}, "`nonsense`"),
        ("task.created", {"data": '{"title":"a\\ud800","status":"todo","category":"open"}'}, "surrogate"),
        ("user.joined", {"data": {"role": "emperor"}}, "'emperor'"),
        ("user.joined", {"data": {"role": "admin"}, "meta": '{"actor":"x"}'}, "`correlation_id`"),
    ],
)
async def test_what_cannot_be_read_is_named(
    owner: Connection, team: Team, pool: Pool, name: str, columns: dict[str, Any], why: str
) -> None:
    stream = new_id()
    position = await put(owner, team, stream, 1, name, **columns)
    await put(owner, team, stream, 2, "task.started", data={"status": "in_progress", "category": "active"})
    work, result = await replayed(pool)
    assert not work.passed
    assert result.only[:5] == (Fault.UNREADABLE, stream, 1, position, name)
    assert why in result.only.why
    assert result.findings[0][0] == f"w{team.workspace_id}"


@pytest.mark.parametrize(
    ("begins", "name", "data", "why"),
    [
        ("task.created", "user.role_changed", {"role": "admin"}, "the stream began as one of the kind 'task'"),
        ("user.joined", "task.unassigned", {}, "the stream began as one of the kind 'user'"),
        ("task.created", "task.created", {"title": "b", "status": "todo", "category": "open"}, "TaskCreated"),
    ],
)
async def test_what_cannot_be_folded_is_named(
    owner: Connection, team: Team, pool: Pool, begins: str, name: str, data: Any, why: str
) -> None:
    stream = new_id()
    first = {"task.created": {"title": "a", "status": "todo", "category": "open"}, "user.joined": {"role": "member"}}
    await put(owner, team, stream, 1, begins, data=first[begins])
    position = await put(owner, team, stream, 2, name, data=data)
    work, result = await replayed(pool)
    assert not work.passed
    assert result.only[:5] == (Fault.UNFOLDABLE, stream, 2, position, name)
    assert why in result.only.why


async def test_an_illegal_move_is_reported_and_stays_a_fact(owner: Connection, team: Team, pool: Pool) -> None:
    """It went through the function that appends, which knows streams and no workflows."""
    stream = new_id()
    await log_events(
        owner,
        team,
        stream,
        creation(),
        TaskStarted(status="in_progress", category=Category.ACTIVE),
        TaskReopened(status="todo", category=Category.OPEN),
        TaskCompleted(status="finished", category=Category.DONE),
        TaskEdited(title="no move at all"),
        TaskReopened(status="todo", category=Category.OPEN),
        TaskCompleted(status="done", category=Category.CANCELLED),
        TaskReopened(status="todo", category=Category.OPEN),
    )
    work, result = await replayed(pool)
    assert work.passed
    assert [(finding.fault, finding.version) for _, finding in result.findings] == [
        (Fault.REFUSED, version) for version in (3, 4, 6, 7)
    ]
    reasons = [finding.why for _, finding in result.findings]
    assert reasons == [
        "a task that is 'in_progress' cannot 'reopen'; allowed: cancel, complete, pause",
        "it led to 'finished' (done), and would lead to 'done' (done)",
        "a task that is 'finished' cannot 'reopen'; allowed: nothing",
        "it led to 'done' (cancelled), and would lead to 'done' (done)",
    ]


async def test_a_stream_that_begins_otherwise_is_reported(owner: Connection, team: Team, pool: Pool) -> None:
    first, second = sorted((new_id(), new_id()))  # the order of the report; of one millisecond either may be the first
    await log_events(owner, team, first, TaskEdited(title="who was I?"))
    await log_events(owner, team, second, TaskCreated(title="no work", status="done", category=Category.DONE))
    work, result = await replayed(pool)
    assert work.passed
    assert [(finding.fault, finding.why) for _, finding in result.findings] == [
        (Fault.REFUSED, "a stream begins with task.created, and only once"),
        (Fault.REFUSED, "it led to 'done' (done), and would lead to 'todo' (open)"),
    ]


async def test_an_erased_status_judges_nobody(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    """What an erased move led to is a guess, so nothing is said of the move after it; of the one after that, again."""
    task = await desk.task(team)
    for move in ("start", "complete"):
        await desk.do(team, team.admin, MoveTask(task, move))
    await owner.execute("SELECT erase(%s, 8, 'asked')", (team.workspace_id,))
    work, result = await replayed(pool)
    assert (result.findings, work.erased, work.unjudged) == ([], 1, 0)
    version = 3
    for event in (
        TaskReopened(status="open", category=Category.OPEN),
        TaskReopened(status="todo", category=Category.OPEN),
        TaskCompleted(status="done", category=Category.DONE),
    ):
        await log_events(owner, team, task, event, after=version)
        version += 1
    await owner.execute("SELECT erase(%s, 10, 'asked')", (team.workspace_id,))
    work, result = await replayed(pool)
    assert (result.findings, work.erased, work.unjudged) == ([], 2, 1)
    await log_events(owner, team, task, TaskCompleted(status="done", category=Category.DONE), after=version)
    await owner.execute("SELECT erase(%s, 13, 'asked')", (team.workspace_id,))
    work, result = await replayed(pool)
    assert result.only[:4] == (Fault.REFUSED, task, version + 1, 13), "that it was a completion is not erased"


async def test_a_hole_in_a_stream_and_in_the_log_is_named(
    desk: Desk, owner: Connection, team: Team, pool: Pool
) -> None:
    tasks = [await desk.task(team) for _ in range(3)]
    for move in ("start", "pause", "start", "complete"):
        await desk.do(team, team.admin, MoveTask(tasks[1], move))
    assert (await replayed(pool))[1].findings == []
    await tamper(owner, "DELETE FROM events WHERE workspace_id = %s AND position IN (11, 12)", (team.workspace_id,))
    work, result = await replayed(pool)
    assert not work.passed
    (stream, log) = [finding for _, finding in result.findings]
    assert stream == (Fault.DISORDER, tasks[1], 5, 13, "task.completed", "the stream has no version 3 to 4")
    assert log == (Fault.DISORDER, None, None, 11, None, "the log has no position 11 to 12")


async def test_ends_that_are_cut_off_are_named(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    tasks = [await desk.task(team) for _ in range(3)]
    await desk.do(team, team.admin, MoveTask(tasks[0], "start"))  # position 10
    await tamper(owner, "DELETE FROM events WHERE workspace_id = %s AND position >= 9", (team.workspace_id,))
    _, result = await replayed(pool)
    assert [finding.why for _, finding in result.findings] == ["the log has no position 9 to 10"]
    await owner.execute("UPDATE logs SET position = 5 WHERE workspace_id = %s", (team.workspace_id,))
    _, result = await replayed(pool)
    assert "the log stands at 5, and its last event is at 8" in [finding.why for _, finding in result.findings]


async def test_positions_rise_within_a_stream(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    task = await desk.task(team)
    await desk.do(team, team.admin, MoveTask(task, "start"))
    await tamper(
        owner,
        "UPDATE events SET version = version + CASE version WHEN 1 THEN 2 ELSE 0 END WHERE stream_id = %s",
        (task,),
    )
    _, result = await replayed(pool)
    assert [(finding.position, finding.why) for _, finding in result.findings] == [
        (8, "the stream has no version 1"),
        (8, "a stream begins with task.created, and only once"),
        (7, "the version before it is at the position 8"),
        (7, "KeyError: <class 'domain.task.TaskCreated'>"),
    ]


async def test_events_of_an_unknown_workspace_are_not_passed_over(
    desk: Desk, owner: Connection, team: Team, pool: Pool
) -> None:
    await tamper(owner, "DELETE FROM logs WHERE workspace_id = %s", (team.workspace_id,))
    _, result = await replayed(pool)
    assert [finding.why for _, finding in result.findings] == ["the log stands at 0, and its last event is at 6"]


async def test_it_only_reads(desk: Desk, team: Team, pool: Pool) -> None:
    await desk.task(team)
    async with pool.connection() as connection:
        await connection.execute("SET default_transaction_read_only = on")
        work = Preflight(connection, lambda *_: None)
        await work.run()
        assert work.events == 7
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await connection.execute("UPDATE logs SET position = 0")
        await connection.execute("SET default_transaction_read_only = off")


async def test_the_work_grows_with_the_log_and_not_with_its_slices(
    desk: Desk, owner: Connection, team: Team, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of which PostgreSQL knows nothing, as after an import: a slice may read no more than the slice."""
    stream = new_id()
    await log_events(owner, team, stream, creation(), *[TaskEdited(title=f"{n}") for n in range(2_000)])
    monkeypatch.setattr(preflight, "EVENTS_A_SLICE", 20)

    async def read() -> tuple[int, int]:
        cursor = await owner.execute(
            "SELECT idx_tup_fetch, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'events'"
        )
        indexed, scanned = await cursor.fetchone() or (0, 0)
        return int(indexed), int(scanned)

    before = await read()
    async with pool.connection() as connection:
        await Preflight(connection, lambda *_: None).run()
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("SELECT 1")
    after = await read()
    assert after[1] == before[1], "nothing was scanned"
    assert 2_000 <= after[0] - before[0] < 3 * 2_000


async def test_memory_does_not_grow_with_the_history(owner: Connection, team: Team, pool: Pool) -> None:
    """Ten times the events and the streams, each with a description of 20,000 characters: a tenth more memory."""

    async def write(streams: int, version: int) -> None:
        await owner.execute(
            """
            WITH ids AS (SELECT n, gen_random_uuid() AS id FROM generate_series(1, %(streams)s) n),
                 head AS (SELECT position FROM logs WHERE workspace_id = %(workspace)s),
                 log AS (UPDATE logs SET position = position + %(streams)s * %(versions)s
                         WHERE workspace_id = %(workspace)s)
            INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                                digest, salt, meta, data)
            SELECT %(workspace)s, head.position + (ids.n - 1) * %(versions)s + v, ids.id, v, 1, clock_timestamp(),
                   CASE v WHEN 1 THEN 'task.created' ELSE 'task.edited' END,
                   sha256(''), uuid_send(gen_random_uuid()), %(meta)s,
                   CASE v WHEN 1 THEN json_build_object('title', 'x', 'status', 'todo', 'category', 'open',
                                                        'description', repeat('d', 20000))
                          ELSE json_build_object('description', repeat('e', 20000)) END
            FROM ids, head, generate_series(1, %(versions)s) v
            """,
            {"workspace": team.workspace_id, "streams": streams, "versions": version, "meta": META},
        )

    async def peak() -> int:
        tracemalloc.start()
        try:
            work, result = await replayed(pool)
            assert result.findings == []
            events.append(work.events)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    events: list[int] = []
    await write(300, 3)
    await peak()  # what is only made once is made
    little = await peak()
    await write(2_700, 3)
    much = await peak()
    assert events[-1] == 9_006
    assert much < little * 1.1 + 1_000_000
