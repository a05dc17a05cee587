"""Sessions: rotation of refresh tokens, reuse, logout, and tickets for one socket."""

import asyncio
from typing import NamedTuple

import pytest

from api.database import Pool
from commands.accounts import Accounts, Registration
from commands.ids import new_id
from commands.passwords import Passwords
from commands.personal_tokens import PersonalTokens
from commands.sessions import GRACE_SECONDS, SESSION_DAYS, Session, Sessions, revoke_all
from commands.sessions import SESSION_DAYS_MAX as MOST
from domain.errors import Unauthenticated
from tests.commands.desk import Connection, Desk, blocked, locked
from tests.domain.given import rejected
from tests.house import PASSWORD, SECRET, Database

DAY = 86_400


class Login(NamedTuple):
    sessions: Sessions
    session: Session
    token: str
    pool: Pool


@pytest.fixture
async def login(desk: Desk) -> Login:
    passwords = Passwords(1)
    accounts = Accounts(desk.pool, desk.executor, passwords)
    workspace_id, _, receipt = await accounts.register(Registration("a@example.com", PASSWORD, "Ada"), "a request")
    passwords.close()
    sessions = Sessions(desk.pool, SECRET)
    return Login(sessions, *await sessions.open(workspace_id, receipt.stream_id), desk.pool)


async def age(owner: Connection, seconds: float) -> None:
    """Let everything that was spent have been spent so long ago."""
    await owner.execute("UPDATE refresh_tokens SET spent_at = spent_at - make_interval(secs => %s)", (seconds,))


async def is_dead(login: Login, *tokens: str) -> None:
    for token in tokens:
        with rejected("auth.refresh_invalid", Unauthenticated):
            await login.sessions.refresh(token)
    assert login.session.session_id in await login.sessions.revoked(900)


async def test_a_refresh_token_is_spent_for_its_successor(login: Login) -> None:
    session, second = await login.sessions.refresh(login.token)
    assert session == login.session
    _, third = await login.sessions.refresh(second)
    assert len({login.token, second, third}) == 3


async def test_20_parallel_refreshes_give_one_successor(
    database: Database, login: Login, owner: Connection, serving: Connection
) -> None:
    async with locked(database, "SELECT FROM refresh_tokens FOR UPDATE"):
        refreshing = [asyncio.create_task(login.sessions.refresh(login.token)) for _ in range(20)]
        await blocked(owner, 3)
    results = await asyncio.gather(*refreshing)
    assert len(set(results)) == 1
    cursor = await serving.execute("SELECT count(*), count(spent_at) FROM refresh_tokens")
    assert await cursor.fetchone() == (2, 1)


async def test_a_token_spent_within_ten_seconds_gives_the_same_successor(login: Login, owner: Connection) -> None:
    first = await login.sessions.refresh(login.token)
    await age(owner, GRACE_SECONDS - 5)
    assert await login.sessions.refresh(login.token) == first
    assert await login.sessions.revoked(900) == set()


async def test_another_process_derives_the_same_successor(login: Login, desk: Desk) -> None:
    first = await login.sessions.refresh(login.token)
    assert await Sessions(desk.pool, SECRET).refresh(login.token) == first


async def test_a_token_spent_longer_ago_kills_its_whole_family(login: Login, owner: Connection) -> None:
    _, second = await login.sessions.refresh(login.token)
    _, third = await login.sessions.refresh(second)
    await age(owner, GRACE_SECONDS + 1)
    with rejected("auth.refresh_reused", Unauthenticated):
        await login.sessions.refresh(login.token)
    await is_dead(login, login.token, second, third)


@pytest.mark.parametrize("first", ["reuse", "refresh"])
async def test_a_kill_and_a_refresh_at_once_leave_no_living_token(
    database: Database, login: Login, owner: Connection, first: str
) -> None:
    """Whoever comes first: both meet at the session's row, in one order, so neither waits for the other for ever."""
    _, second = await login.sessions.refresh(login.token)
    await age(owner, GRACE_SECONDS + 1)
    tokens = [login.token, second] if first == "reuse" else [second, login.token]
    async with locked(database, "SELECT FROM sessions FOR UPDATE"):
        racing = []
        for count, token in enumerate(tokens, 1):
            racing.append(asyncio.create_task(login.sessions.refresh(token)))
            await blocked(owner, count)
    results = await asyncio.gather(*racing, return_exceptions=True)
    codes = [result.code for result in results if isinstance(result, Unauthenticated)]
    assert codes == (["auth.refresh_reused", "auth.refresh_invalid"] if first == "reuse" else ["auth.refresh_reused"])
    successors = [result[1] for result in results if isinstance(result, tuple)]
    assert len(successors) == (first == "refresh")
    await is_dead(login, login.token, second, *successors)


async def test_many_kills_refreshes_and_logouts_at_once_end_and_leave_no_living_token(
    login: Login, owner: Connection
) -> None:
    _, second = await login.sessions.refresh(login.token)
    await age(owner, GRACE_SECONDS + 1)
    results = await asyncio.gather(
        *(login.sessions.refresh(token) for token in [second, login.token] * 10),
        *(login.sessions.close(token) for token in (login.token, second)),
        login.sessions.revoke_all(login.session.workspace_id, login.session.user_id),
        return_exceptions=True,
    )
    failed = [result for result in results if isinstance(result, Exception) and not isinstance(result, Unauthenticated)]
    assert failed == []
    await is_dead(login, login.token, second, *{result[1] for result in results if isinstance(result, tuple)})


async def test_late_reuse_leaves_other_sessions_of_the_user_alone(login: Login, owner: Connection) -> None:
    other, token = await login.sessions.open(login.session.workspace_id, login.session.user_id)
    await login.sessions.refresh(login.token)
    await age(owner, GRACE_SECONDS + 1)
    with rejected("auth.refresh_reused", Unauthenticated):
        await login.sessions.refresh(login.token)
    assert (await login.sessions.refresh(token))[0] == other


@pytest.mark.parametrize("token", ["", "nonsense", "\ud800", "a\x00b", "x" * 10_000])
async def test_a_token_that_nobody_gave_is_refused(login: Login, token: str) -> None:
    with rejected("auth.refresh_invalid", Unauthenticated):
        await login.sessions.refresh(token)
    assert await login.sessions.close(token) is None
    with rejected("auth.ticket_invalid", Unauthenticated):
        await login.sessions.redeem_ticket(token)


async def test_a_session_lives_as_long_as_it_is_used(login: Login, owner: Connection) -> None:
    await owner.execute("UPDATE sessions SET expires_at = clock_timestamp() + interval '1 hour'")
    _, token = await login.sessions.refresh(login.token)
    cursor = await owner.execute("SELECT extract(epoch FROM expires_at - clock_timestamp())::integer FROM sessions")
    row = await cursor.fetchone()
    assert row is not None
    assert SESSION_DAYS * DAY - 60 <= row[0] <= SESSION_DAYS * DAY
    await owner.execute("UPDATE sessions SET expires_at = clock_timestamp()")
    with rejected("auth.refresh_invalid", Unauthenticated):
        await login.sessions.refresh(token)


@pytest.mark.parametrize("spent", [False, True])
async def test_logging_out_kills_the_family(login: Login, spent: bool) -> None:
    tokens = [login.token]
    if spent:
        tokens.append((await login.sessions.refresh(login.token))[1])
    assert await login.sessions.close(login.token) == login.session
    assert await login.sessions.close(login.token) == login.session
    await is_dead(login, *tokens)


async def test_logging_out_during_a_refresh_ends_the_session_either_way(login: Login) -> None:
    results = await asyncio.gather(
        login.sessions.refresh(login.token), login.sessions.close(login.token), return_exceptions=True
    )
    await is_dead(login, login.token, *(result[1] for result in results[:1] if isinstance(result, tuple)))


async def test_a_session_ends_for_good_after_half_a_year(login: Login, owner: Connection) -> None:
    await owner.execute("UPDATE sessions SET created_at = created_at - make_interval(days => %s)", (MOST - 1,))
    await login.sessions.refresh(login.token)
    cursor = await owner.execute("SELECT extract(epoch FROM expires_at - clock_timestamp())::integer FROM sessions")
    row = await cursor.fetchone()
    assert row is not None
    assert DAY - 60 <= row[0] <= DAY


async def test_a_login_with_a_password_that_is_changed_meanwhile_opens_nothing(
    login: Login, owner: Connection, serving: Connection
) -> None:
    workspace_id, user_id = login.session.workspace_id, login.session.user_id
    row = await (await serving.execute("SELECT password_hash FROM accounts")).fetchone()
    assert row is not None
    async with serving.transaction():
        await serving.execute("UPDATE accounts SET password_hash = 'another one'")
        opening = asyncio.create_task(login.sessions.open(workspace_id, user_id, password_hash=row[0]))
        await blocked(owner)
        await revoke_all(serving, workspace_id, user_id)
    with rejected("auth.bad_credentials", Unauthenticated):
        await opening
    cursor = await owner.execute("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
    assert await cursor.fetchone() == (0,)
    await login.sessions.open(workspace_id, user_id, password_hash="another one")


async def test_a_login_sweeps_away_what_ended_long_ago(login: Login, owner: Connection) -> None:
    workspace_id, user_id = login.session.workspace_id, login.session.user_id
    personal = PersonalTokens(login.pool)
    revoked, expired, fresh, old = [await login.sessions.open(workspace_id, user_id) for _ in range(4)]
    for session in (revoked, fresh):
        await login.sessions.revoke(workspace_id, user_id, session[0].session_id)
    tokens = [(await personal.create(workspace_id, user_id, name=n, scopes=["read"]))[0].id for n in "abc"]
    await personal.revoke(workspace_id, user_id, tokens[0])
    for table, key, column, days, id_ in (
        ("sessions", "session_id", "revoked_at", 8, revoked[0].session_id),
        ("sessions", "session_id", "expires_at", 40, expired[0].session_id),
        ("sessions", "session_id", "created_at", 400, old[0].session_id),
        ("personal_tokens", "token_id", "revoked_at", 31, tokens[0]),
        ("personal_tokens", "token_id", "expires_at", 90 + 31, tokens[1]),
    ):
        statement = f"UPDATE {table} SET {column} = {column} - interval '{days} days' WHERE {key} = %s"
        await owner.execute(statement.encode(), (id_,))
    newest, _ = await login.sessions.open(workspace_id, user_id)
    last, _ = await personal.create(workspace_id, user_id, name="d", scopes=["read"])
    kept = await (await owner.execute("SELECT session_id::text FROM sessions")).fetchall()
    alive = (login.session, fresh[0], old[0], newest)
    assert {id_ for (id_,) in kept} == {session.session_id for session in alive}
    kept = await (await owner.execute("SELECT token_id::text FROM personal_tokens")).fetchall()
    assert {id_ for (id_,) in kept} == {tokens[2], last.id}


async def test_all_sessions_of_a_user_end_but_one(login: Login) -> None:
    workspace_id, user_id = login.session.workspace_id, login.session.user_id
    others = [await login.sessions.open(workspace_id, user_id) for _ in range(3)]
    ended = await login.sessions.revoke_all(workspace_id, user_id, but=login.session.session_id)
    assert sorted(ended) == sorted(session.session_id for session, _ in others)
    assert await login.sessions.revoked(900) == set(ended)
    for _, token in others:
        with rejected("auth.refresh_invalid", Unauthenticated):
            await login.sessions.refresh(token)
    assert (await login.sessions.refresh(login.token))[0] == login.session
    assert await login.sessions.revoke_all(workspace_id, new_id()) == []
    assert await login.sessions.revoke_all(workspace_id, user_id) == [login.session.session_id]


async def test_sessions_end_with_the_transaction_that_ends_them(login: Login, serving: Connection) -> None:
    workspace_id, user_id = login.session.workspace_id, login.session.user_id
    personal = PersonalTokens(login.pool)
    shown, token = await personal.create(workspace_id, user_id, name="a", scopes=["read"])
    async with serving.transaction(force_rollback=True):
        assert await revoke_all(serving, workspace_id, user_id) == [login.session.session_id]
    assert await login.sessions.revoked(900) == set()
    async with serving.transaction():
        ended = await revoke_all(serving, workspace_id, user_id, tokens=True)
    assert set(ended) == {login.session.session_id, shown.id} == await login.sessions.revoked(900)
    with rejected("auth.token_revoked", Unauthenticated):
        await personal.find(token)


async def test_many_who_end_all_sessions_at_once_do_not_wait_for_each_other(login: Login) -> None:
    workspace_id, user_id = login.session.workspace_id, login.session.user_id
    for _ in range(20):
        await login.sessions.open(workspace_id, user_id)
    ended = await asyncio.gather(*(login.sessions.revoke_all(workspace_id, user_id) for _ in range(8)))
    assert sorted(map(len, ended)) == [0] * 7 + [21]


async def test_a_revocation_is_remembered_while_access_tokens_may_live(login: Login, owner: Connection) -> None:
    await login.sessions.close(login.token)
    assert await login.sessions.revoked(900) == {login.session.session_id}
    await owner.execute("UPDATE sessions SET revoked_at = revoked_at - interval '901 seconds'")
    assert await login.sessions.revoked(900) == set()


async def test_a_ticket_opens_once(login: Login) -> None:
    ticket = await login.sessions.issue_ticket(login.session.session_id)
    results = await asyncio.gather(*(login.sessions.redeem_ticket(ticket) for _ in range(5)), return_exceptions=True)
    assert [result for result in results if isinstance(result, Session)] == [login.session]


async def test_a_ticket_runs_out_and_is_swept_away(login: Login, owner: Connection) -> None:
    old = await login.sessions.issue_ticket(login.session.session_id)
    await owner.execute("UPDATE socket_tickets SET expires_at = clock_timestamp()")
    new = await login.sessions.issue_ticket(login.session.session_id)
    cursor = await owner.execute("SELECT count(*) FROM socket_tickets")
    assert await cursor.fetchone() == (1,)
    await owner.execute("UPDATE socket_tickets SET expires_at = clock_timestamp()")
    for ticket in (old, new):
        with rejected("auth.ticket_invalid", Unauthenticated):
            await login.sessions.redeem_ticket(ticket)


async def test_a_ticket_dies_with_its_session(login: Login) -> None:
    ticket = await login.sessions.issue_ticket(login.session.session_id)
    await login.sessions.close(login.token)
    with rejected("auth.ticket_invalid", Unauthenticated):
        await login.sessions.redeem_ticket(ticket)


async def test_who_reads_the_tables_holds_no_token(login: Login, serving: Connection) -> None:
    ticket = await login.sessions.issue_ticket(login.session.session_id)
    _, second = await login.sessions.refresh(login.token)
    cursor = await serving.execute(
        """
        SELECT r::text FROM refresh_tokens r UNION ALL SELECT s::text FROM sessions s
        UNION ALL SELECT t::text FROM socket_tickets t
        """
    )
    text = " ".join(row[0] for row in await cursor.fetchall())
    for token in (ticket, login.token, second):
        assert token not in text
        assert token.encode().hex() not in text
