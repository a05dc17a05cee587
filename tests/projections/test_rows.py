"""Rows: whatever a log may hold fits into its row, and the row reads as the very document that the fold encodes to."""

from collections.abc import Callable
from time import monotonic

import orjson
import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.task import EDITABLE, MOVES, Task, TaskAssigned, TaskCompleted, TaskDeleted, TaskEdited
from domain.task_fields import Assignee, Priority
from domain.text import DESCRIPTION_MAX, TAG_MAX, TAGS_MAX, TITLE_MAX
from domain.user import Role, UserProfileChanged, UserRoleChanged
from domain.workflow import Category
from projections import tasks, users
from projections.database import Pool
from tests.commands.desk import Connection, Desk, Team, as_task, log_of, states
from tests.projections.reading import catch_up, checkpoint_of, creation, fold_of, log_events, reaches, rows_of, worker

AWKWARD = [
    "plain",
    "ünïcödé ✓ 𠀀 👩‍👩‍👧 \u202e right to left",
    "\"double\" 'single' \\back\\\\slash\\ %s %(x)s {curly} $1 $$",
    "line\nfeed\r\nand\ttab \x01\x1f\x7f \u2028\u2029 \ufeff\uffff\U0010ffff",
    'a,b,{c},"d",NULL,[e]',
    "<b>&amp; </script> http://a.co/b?c=d&e=f#g me@a.co",
    "' ; DROP TABLE tasks; --",
    "\\u0000 is not NUL",
]
TAGS = ("a,b", "{c}", '"d"', "\\e", "NULL", "null", " ", "''", "{}", "[]", "ü", "𠀀", "%s", "\\\\", '\\"')

BLANKS = " \t\n"


def different(count: int, make: Callable[[int], str]) -> str:
    """Text of the greatest length, from pieces that differ."""
    text = "".join(make(n) for n in range(count))
    assert len(text) >= DESCRIPTION_MAX
    return text[:DESCRIPTION_MAX]


def repeated(piece: str) -> str:
    return (piece * DESCRIPTION_MAX)[:DESCRIPTION_MAX]


def wide(n: int) -> str:
    """A character of four bytes."""
    return chr(0x20000 + n % 40_000)


DESCRIPTIONS = {
    "short words": different(40_000, lambda n: f"{n:x} "),
    "one word": repeated("x"),
    "one word of four-byte characters": repeated("𠀀"),
    "words of one four-byte character": different(50_000, lambda n: f"{wide(n)} "),
    "pairs of four-byte characters": different(30_000, lambda n: f"{wide(n)}-{wide(n * 7)} "),
    "addresses": different(10_000, lambda n: f"http://{n}.co/{n} "),
    "one long address": "http://a.co/" + repeated("b/")[12:],
    "mail addresses": different(10_000, lambda n: f"{n}@a.co {n} "),
    "hyphens": different(30_000, lambda n: f"{n}-"),
    "quotes and backslashes": repeated("'\"\\"),
    "nothing but blanks": repeated(BLANKS),
    "control characters": repeated("\x01\x1f\x7f"),
    # Each of these took the parser of PostgreSQL from seconds to minutes, in one run without blanks.
    "underscores": repeated("a_"),
    "paths": repeated("~/"),
    "dots and slashes": repeated("/."),
    "comments": repeated("<!--"),
    "comments with blanks": repeated("<!-- "),
    "half mail addresses": repeated("1@a"),
    "hyphens and dots": repeated("a-a."),
    "what is a word each": different(100_000, wide),
    "dashes": repeated("a\u2014"),
    "blanks that do not break": repeated("a\u00a0"),
}


async def check(owner: Connection, team: Team, pool: Pool, redis: Redis) -> None:
    """The document of every row is the JSON of the fold, and reads back as the fold."""
    await catch_up(worker(pool, redis), team.workspace_id)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
    folded = {id_: state for (id_, _), state in states(await log_of(owner, team.workspace_id)).items()}
    ids = list((await rows_of(owner, team.workspace_id)).tasks)
    async with pool.connection() as connection:
        for id_, task in (await tasks.load(connection, team.workspace_id, 1, ids)).items():
            assert task == folded[id_]


@pytest.mark.parametrize("text", AWKWARD)
async def test_awkward_text_reads_as_it_was_written(
    owner: Connection, team: Team, pool: Pool, redis: Redis, text: str
) -> None:
    ids = new_id(), new_id()
    await log_events(owner, team, ids[0], creation(text, description=text, tags=(text, text[::-1])))
    move = TaskCompleted(status=text, category=Category.DONE, reason=text)
    await log_events(owner, team, ids[1], creation(), TaskEdited(title=text, description=text, tags=(text,)), move)
    await check(owner, team, pool, redis)
    rows = (await rows_of(owner, team.workspace_id)).tasks
    assert [(rows[id_]["title"], rows[id_]["description"], rows[id_]["tags"][0]) for id_ in ids] == [(text,) * 3] * 2
    assert rows[ids[1]]["status"] == text


async def test_a_document_has_the_fields_of_the_fold_in_their_order(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    await log_events(owner, team, new_id(), creation())
    await catch_up(worker(pool, redis), team.workspace_id)
    cursor = await owner.execute("SELECT task_document(t)::text FROM tasks t")
    (document,) = await cursor.fetchone() or ("",)
    every = states(await log_of(owner, team.workspace_id)).values()
    (state,) = [state for state in every if isinstance(state, Task)]
    assert list(orjson.loads(document).items()) == list(orjson.loads(tasks.encode(state)).items())


async def test_every_field_has_its_extremes(owner: Connection, team: Team, pool: Pool, redis: Redis) -> None:
    for due_at in (None, "0001-01-02T00:00:00.000000Z", "9999-12-30T23:59:59.999999Z", "2027-02-28T23:59:59.000001Z"):
        for priority in Priority:
            await log_events(owner, team, new_id(), creation(due_at=due_at, priority=priority, tags=TAGS))
    long = creation("𠀀" * TITLE_MAX, tags=tuple(f"{n:0{TAG_MAX}}" for n in range(TAGS_MAX)))
    await log_events(owner, team, new_id(), long)
    await log_events(owner, team, new_id(), creation(), TaskEdited(due_at=None, tags=(), description=""), TaskDeleted())
    assignee = Assignee(type="team", id=new_id())
    await log_events(owner, team, new_id(), creation(), TaskAssigned(assignee=assignee))
    await check(owner, team, pool, redis)
    assert len((await rows_of(owner, team.workspace_id)).tasks) == 19


@pytest.mark.parametrize("name", DESCRIPTIONS)
async def test_any_description_of_the_greatest_length_projects_in_time(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, name: str
) -> None:
    """A member may write this, so it must not stop the projection of a whole workspace."""
    task_id = await desk.task(team, description=DESCRIPTIONS[name])
    began = monotonic()
    await catch_up(worker(pool, redis), team.workspace_id)
    assert monotonic() - began < 5  # a statement has 10 s, and this is one task
    assert (await rows_of(owner, team.workspace_id)).tasks[task_id]["description"] == DESCRIPTIONS[name]
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a word among others", "word"),
        ("see http://example.org/a/long-path?q=1 there", "example.org/a/long-path?q=1"),
        ("write to me@example.org", "me@example.org"),
        ("a well-known snake_case name", "well-known"),
        ("a well-known snake_case name", "snake_case"),
        ("x" * 200 + " after a long word", "after"),
        ("<!-- in a comment -->", "comment"),
        ("version 1.2.3", "1.2.3"),
        ("Ünïcode ✓", "ünïcode"),
    ],
)
async def test_what_is_written_is_found(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, text: str, query: str
) -> None:
    for fields in ({"title": text}, {"description": text}):
        await desk.task(team, **fields)
    await catch_up(worker(pool, redis), team.workspace_id)
    cursor = await owner.execute("SELECT count(*) FROM tasks WHERE search @@ phrase(%s)", (query,))
    assert await cursor.fetchone() == (2,)


async def test_what_is_too_much_for_one_statement_projects_in_parts(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """A rebuild meets every long text at once. Here the database gives up on more than five rows."""
    for n in range(20):
        await log_events(owner, team, new_id(), creation(f"{n}"))
    await owner.execute(
        """
        CREATE FUNCTION at_most_five() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT count(*) FROM written) > 5 THEN
                RAISE query_canceled;
            END IF;
            RETURN NULL;
        END $$
        """
    )
    await owner.execute(
        """
        CREATE TRIGGER at_most_five AFTER INSERT ON tasks REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION at_most_five()
        """
    )
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01, most=100)
    await projector.start()
    await reaches(owner, team.workspace_id, 26)
    await projector.stop()
    assert (await checkpoint_of(owner, team.workspace_id)).error is None
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_one_task_is_read_as_it_is_now_wherever_its_projection_stands(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Without a row, with one that is behind, and with one that is not."""
    projector = worker(pool, redis)
    task_id = await desk.task(team, title="one")

    async def reads_as_it_is(position: int) -> None:
        state = as_task(await desk.streams.at(team.workspace_id, task_id, position - 6))
        async with pool.connection() as connection:
            assert await tasks.get(connection, team.workspace_id, task_id) == (state, position)

    await reads_as_it_is(7)
    await catch_up(projector, team.workspace_id)
    await reads_as_it_is(7)
    await log_events(owner, team, task_id, TaskEdited(title="two"), TaskDeleted(), after=1)
    await reads_as_it_is(9)
    await catch_up(projector, team.workspace_id)
    await reads_as_it_is(9)


async def test_what_is_no_task_is_none(team: Team, pool: Pool) -> None:
    async with pool.connection() as connection:
        for id_ in (new_id(), team.admin, team.workspace_id):
            assert await tasks.get(connection, team.workspace_id, id_) == (None, 6)
        assert await tasks.get(connection, new_id(), team.admin) == (None, 0)


async def test_users_have_the_role_of_their_last_change(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis)
    for n, role in enumerate([Role.MANAGER, Role.AUDITOR, Role.ADMIN]):
        position = await log_events(owner, team, team.member, UserRoleChanged(role=role), after=n + 1)
        await catch_up(projector, team.workspace_id)
        row = (await rows_of(owner, team.workspace_id)).users[team.member]
        assert (row["role"], row["version"], row["position"]) == (role, n + 2, position)
    await log_events(owner, team, team.member, UserProfileChanged(fields=("display_name",)), after=4)
    await log_events(owner, team, team.admin, UserRoleChanged(role=Role.MEMBER), after=1)
    await catch_up(worker(pool, redis), team.workspace_id)  # stands by
    await projector.stop()
    await catch_up(worker(pool, redis), team.workspace_id)
    rows = await rows_of(owner, team.workspace_id)
    assert rows == await fold_of(owner, team.workspace_id)
    roles = {id_: row["role"] for id_, row in rows.users.items()}
    assert roles == dict(zip(team[1:], ["member", "manager", "admin", "member", "auditor"], strict=True))


async def test_members_are_read_in_pages_with_the_position_of_the_projection(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    async with pool.connection() as connection:
        assert await users.page(connection, team.workspace_id, None, 10) == ([], 0)
        await catch_up(worker(pool, redis), team.workspace_id)
        await owner.execute(
            """
            INSERT INTO accounts (workspace_id, user_id, email, display_name, password_hash)
            SELECT workspace_id, user_id, user_id || '@example.org', 'name of ' || user_id, 'x' FROM users
            """
        )
        first, position = await users.page(connection, team.workspace_id, None, 3)
        rest, _ = await users.page(connection, team.workspace_id, first[-1].id, 3)
        assert position == 6
        assert [member.id for member in first + rest] == sorted(team[1:])
        member, position = await users.get(connection, team.workspace_id, team.auditor)
        assert member is not None
        assert (member.id, member.role, member.display_name) == (team.auditor, "auditor", f"name of {team.auditor}")
        assert await users.get(connection, team.workspace_id, new_id()) == (None, 6)


def test_every_move_and_every_editable_field_is_known_here() -> None:
    """Whoever adds one finds the tests of this file."""
    assert set(MOVES) == {"start", "pause", "complete", "cancel", "reopen"}
    dates = {"start_at", "due_at", "due_on", "due_zone"}
    assert set(EDITABLE) == {"title", "description", "priority", "tags", "estimate_minutes"} | dates
