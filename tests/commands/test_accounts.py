"""Accounts: who may register where, who gets which role, and what logging in says."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from commands.accounts import Accounts, Joined, Registration
from commands.checking import check_email
from commands.execute import Call, Receipt
from commands.ids import new_id
from commands.passwords import LONGEST, SHORTEST, Passwords
from commands.preferences import PREFERENCES_MAX
from domain.errors import Conflict, Forbidden, Invalid, Unauthenticated
from domain.user import Role, User, UserProfileChanged
from domain.workspace import Workspace
from tests.commands.desk import Connection, Desk, blocked, events_of, locked, log_of, states
from tests.domain.given import rejected
from tests.house import PASSWORD, Database


@pytest.fixture
async def accounts(desk: Desk) -> AsyncIterator[Accounts]:
    passwords = Passwords()
    yield Accounts(desk.pool, desk.executor, passwords)
    passwords.close()


def somebody(name: str = "ada", workspace: str = "main", password: str = PASSWORD) -> Registration:
    return Registration(f"{name}@example.com", password, name.title(), workspace)


async def joined(accounts: Accounts, name: str = "ada", workspace: str = "main") -> tuple[str, User]:
    workspace_id, _, receipt = await accounts.register(somebody(name, workspace), "a request")
    assert isinstance(receipt.state, User)
    assert receipt.stream_id == receipt.state.id
    return workspace_id, receipt.state


async def admins(connection: Connection, workspace_id: str) -> frozenset[str]:
    """The admins, as the workspace's own stream has them and as the users' streams have them."""
    known = states(await log_of(connection, workspace_id)).values()
    guarded = [state for state in known if isinstance(state, Workspace)][-1].admins
    assert guarded == {user.id for user in known if isinstance(user, User) and user.role is Role.ADMIN}
    return guarded


async def test_the_first_of_main_is_its_admin_and_the_others_are_members(
    accounts: Accounts, serving: Connection
) -> None:
    (workspace_id, ada), (same, bob) = await joined(accounts), await joined(accounts, "bob")
    assert workspace_id == same
    assert (ada.role, bob.role) == (Role.ADMIN, Role.MEMBER)
    assert await admins(serving, workspace_id) == {ada.id}


async def test_anyone_founds_a_workspace_and_is_its_admin(accounts: Accounts, serving: Connection) -> None:
    await joined(accounts)
    workspace_id, ada = await joined(accounts, "ada", "acme")
    assert ada.role is Role.ADMIN
    assert await admins(serving, workspace_id) == {ada.id}


async def test_a_workspace_that_others_founded_needs_an_invite(accounts: Accounts) -> None:
    await joined(accounts, "ada", "acme")
    with rejected("auth.invite_required", Forbidden):
        await joined(accounts, "bob", "acme")


@pytest.mark.parametrize("workspace", ["main", "acme"])
async def test_founding_makes_an_admin_where_nobody_is_and_nowhere_else(
    accounts: Accounts, serving: Connection, workspace: str
) -> None:
    receipt = await accounts.found(somebody("ada", workspace), "a request")
    assert isinstance(receipt.state, User)
    assert receipt.state.role is Role.ADMIN
    with rejected("workspace.slug_taken", Conflict):
        await accounts.found(somebody("bob", workspace), "a request")
    cursor = await serving.execute("SELECT count(*) FROM accounts")
    assert await cursor.fetchone() == (1,)


@pytest.mark.parametrize("workspace", ["main", "acme"])
async def test_two_founders_at_once_make_one_workspace_with_one_admin(
    database: Database, accounts: Accounts, owner: Connection, serving: Connection, workspace: str
) -> None:
    async with locked(database, "LOCK TABLE workspaces IN EXCLUSIVE MODE"):  # all see that nobody is there yet
        founding = [
            asyncio.create_task(accounts.register(somebody(name, workspace), "a request"))
            for name in ("ada", "bob", "eve")
        ]
        await blocked(owner, 3)
    results = await asyncio.gather(*founding, return_exceptions=True)
    done = [result for result in results if isinstance(result, Joined)]
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(done) == (3 if workspace == "main" else 1)
    assert {type(error) for error in refused} == (set() if workspace == "main" else {Forbidden})
    assert len({one.workspace_id for one in done}) == 1
    assert len(await admins(serving, done[0].workspace_id)) == 1
    cursor = await serving.execute("SELECT count(*), (SELECT count(*) FROM workspaces) FROM accounts")
    assert await cursor.fetchone() == (len(done), 1)


async def test_an_address_is_taken_once_in_a_workspace_whatever_its_case(
    accounts: Accounts, serving: Connection
) -> None:
    workspace_id, _ = await joined(accounts)
    before = await log_of(serving, workspace_id)
    for email in ("ada@example.com", "ADA@Example.COM", " ada@example.com "):
        with rejected("account.email_taken", Conflict):
            await accounts.register(Registration(email, PASSWORD, "Other"), "a request")
    assert await log_of(serving, workspace_id) == before  # neither account nor facts
    assert (await joined(accounts, "ada", "acme"))[1].role is Role.ADMIN


async def test_ten_at_once_with_one_address_make_one_account(accounts: Accounts, serving: Connection) -> None:
    workspace_id, _ = await joined(accounts)
    results = await asyncio.gather(
        *(accounts.register(somebody("bob"), "a request") for _ in range(10)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 9 + ["Joined"]
    assert len(await log_of(serving, workspace_id)) == 3


@pytest.mark.parametrize(
    ("registration", "pointer"),
    [
        (Registration("ada", PASSWORD, "Ada"), "/email"),
        (Registration("ada@", PASSWORD, "Ada"), "/email"),
        (Registration("a\x00@example.com", PASSWORD, "Ada"), "/email"),
        (Registration("a@b@example.com", PASSWORD, "Ada"), "/email"),
        (Registration("a@" + "x" * 253, PASSWORD, "Ada"), "/email"),
        (Registration("ada@example.com", PASSWORD, ""), "/display_name"),
        (Registration("ada@example.com", PASSWORD, "x" * 201), "/display_name"),
        (Registration("ada@example.com", PASSWORD, "A\ud800"), "/display_name"),
        (Registration("ada@example.com", "p" * (SHORTEST - 1), "Ada"), "/password"),
        (Registration("ada@example.com", "p" * (LONGEST + 1), "Ada"), "/password"),
        (Registration("ada@example.com", PASSWORD, "Ada", ""), "/workspace"),
        (Registration("ada@example.com", PASSWORD, "Ada", "-acme"), "/workspace"),
        (Registration("ada@example.com", PASSWORD, "Ada", "acme-"), "/workspace"),
        (Registration("ada@example.com", PASSWORD, "Ada", "Acme"), "/workspace"),
        (Registration("ada@example.com", PASSWORD, "Ada", "a" * 41), "/workspace"),
        (Registration("ada@example.com", PASSWORD, "Ada", "acme\n"), "/workspace"),
    ],
)
async def test_what_is_not_valid_registers_nobody(
    accounts: Accounts, serving: Connection, registration: Registration, pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await accounts.register(registration, "a request")
    assert refused.value.extra["errors"][0]["pointer"] == pointer
    cursor = await serving.execute("SELECT count(*) FROM workspaces")
    assert await cursor.fetchone() == (0,)


@pytest.mark.parametrize("workspace", ["a", "a" * 40, "a-b-1", "0"])
async def test_a_slug_at_its_borders_is_taken(accounts: Accounts, workspace: str) -> None:
    assert (await joined(accounts, "ada", workspace))[1].role is Role.ADMIN


def test_an_address_is_kept_without_the_space_around_it() -> None:
    assert check_email("  ada@example.com ") == "ada@example.com"


async def test_a_slug_that_is_never_free_is_said_to_be_taken(accounts: Accounts, owner: Connection) -> None:
    """Every try meets another founder whose workspace is not visible yet; here a trigger stands for them."""
    await owner.execute(
        """
        CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE unique_violation USING CONSTRAINT = 'workspaces_slug_key';
        END $$
        """
    )
    await owner.execute("GRANT EXECUTE ON FUNCTION taken TO PUBLIC")
    await owner.execute("CREATE TRIGGER taken BEFORE INSERT ON workspaces FOR EACH ROW EXECUTE FUNCTION taken()")
    with rejected("workspace.slug_taken", Conflict):
        await joined(accounts)


async def test_logging_in_takes_the_right_password_and_nothing_else(accounts: Accounts) -> None:
    workspace_id, ada = await joined(accounts)
    account = await accounts.log_in("main", "ADA@example.com", PASSWORD)
    assert (account.workspace_id, account.user_id) == (workspace_id, ada.id)
    for workspace, email, password in (
        ("main", "ada@example.com", "wrong password"),
        ("main", "ada@example.com", ""),
        ("main", "nobody@example.com", PASSWORD),
        ("acme", "ada@example.com", PASSWORD),
        ("main", "ada@example.com\x00", PASSWORD),
        ("ma\x00in", "ada@example.com", PASSWORD),
        ("main", "%", PASSWORD),
    ):
        with rejected("auth.bad_credentials", Unauthenticated):
            await accounts.log_in(workspace, email, password)


async def test_a_password_is_kept_as_a_hash_of_its_own(accounts: Accounts, serving: Connection) -> None:
    await joined(accounts)
    await joined(accounts, "bob")
    cursor = await serving.execute("SELECT password_hash FROM accounts")
    hashes = {row[0] for row in await cursor.fetchall()}
    assert len(hashes) == 2
    assert all(text.startswith("$argon2id$") and PASSWORD not in text for text in hashes)


async def test_a_hash_that_is_none_lets_nobody_in(accounts: Accounts, owner: Connection) -> None:
    await joined(accounts)
    await owner.execute("UPDATE accounts SET password_hash = 'none'")
    with rejected("auth.bad_credentials", Unauthenticated):
        await accounts.log_in("main", "ada@example.com", PASSWORD)


async def test_a_profile_changes_and_the_log_says_only_which_fields(accounts: Accounts, serving: Connection) -> None:
    workspace_id, ada = await joined(accounts)
    call = Call(workspace_id, ada.id, "a request")
    values = {"display_name": "Ada L.", "preferences": {"theme": "dark", "nested": [1, None, {"a": 1.5}]}}
    receipt = await accounts.change_profile(call, values)
    assert receipt.version == 2
    profile = await accounts.profile(workspace_id, ada.id)
    assert profile == {"email": "ada@example.com", "time_zone": "UTC", "locale": "en", **values}
    events = events_of(await log_of(serving, workspace_id), ada.id)
    assert events[1:] == [UserProfileChanged(fields=("display_name", "preferences"))]
    cursor = await serving.execute("SELECT count(*) FROM events WHERE data::text ~* 'ada|dark|example'")
    assert await cursor.fetchone() == (0,)


async def test_a_session_that_opens_during_a_deactivation_ends_with_it(
    accounts: Accounts, owner: Connection, serving: Connection
) -> None:
    """Whoever deactivates waits for the session, and not with the lock of the log in hand."""
    (workspace_id, ada), (_, bob) = await joined(accounts), await joined(accounts, "bob")
    async with serving.transaction():
        await serving.execute(
            """
            INSERT INTO sessions (session_id, workspace_id, user_id, expires_at)
            VALUES (gen_random_uuid(), %s, %s, clock_timestamp() + interval '1 day')
            """,
            (workspace_id, bob.id),
        )
        first, second = (Call(workspace_id, ada.id, "a request") for _ in range(2))
        deactivating = asyncio.create_task(accounts.deactivate(first, bob.id, None))
        await blocked(owner)
        changed = await accounts.change_profile(second, {"display_name": "Ada L."})
        assert changed.version == 2, "the log is free meanwhile"
    receipt = await deactivating
    assert isinstance(receipt.state, User)
    assert not receipt.state.active
    cursor = await serving.execute("SELECT count(*), count(revoked_at) FROM sessions")
    assert await cursor.fetchone() == (1, 1)


async def test_a_profile_that_is_so_already_changes_nothing(accounts: Accounts, serving: Connection) -> None:
    workspace_id, ada = await joined(accounts)
    before = await log_of(serving, workspace_id)
    receipt = await accounts.change_profile(
        Call(workspace_id, ada.id, "a request"), {"display_name": "Ada", "preferences": {}}
    )
    assert receipt.version == 1
    assert await log_of(serving, workspace_id) == before


async def test_a_retried_profile_change_has_one_effect(accounts: Accounts, serving: Connection) -> None:
    workspace_id, ada = await joined(accounts)
    receipts: list[Receipt] = await asyncio.gather(
        *(
            accounts.change_profile(
                Call(workspace_id, ada.id, "a request", key="k", fingerprint="0a"), {"display_name": "Ada L."}
            )
            for _ in range(10)
        )
    )
    assert {(receipt.version, receipt.position) for receipt in receipts} == {(2, 3)}
    assert len(await log_of(serving, workspace_id)) == 3


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"display_name": " "}, "/display_name"),
        ({"preferences": {"a": "x" * PREFERENCES_MAX}}, "/preferences"),
        ({"preferences": {"a": 2**64}}, "/preferences"),
        ({"preferences": {"a": ["\x00"]}}, "/preferences"),
        ({"preferences": {"\x00": 1}}, "/preferences"),
        ({"preferences": {"a": float("inf")}}, "/preferences"),
    ],
)
async def test_a_profile_that_is_not_valid_changes_nothing(
    accounts: Accounts, serving: Connection, values: dict[str, object], pointer: str
) -> None:
    workspace_id, ada = await joined(accounts)
    before = await accounts.profile(workspace_id, ada.id)
    with pytest.raises(Invalid) as refused:
        await accounts.change_profile(Call(workspace_id, ada.id, "a request"), values)
    assert refused.value.extra["errors"][0]["pointer"] == pointer
    assert await accounts.profile(workspace_id, ada.id) == before
    assert len(await log_of(serving, workspace_id)) == 2


async def test_who_has_no_account_has_no_profile(accounts: Accounts) -> None:
    workspace_id, _ = await joined(accounts)
    with rejected("auth.unknown_user", Unauthenticated):
        await accounts.profile(workspace_id, new_id())


async def test_a_connection_that_breaks_each_time_is_given_up(accounts: Accounts, owner: Connection) -> None:
    """The caller waits for this command, so its tries are few; a trigger kills the server process of each."""
    workspace_id, ada = await joined(accounts)
    await owner.execute(
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            PERFORM pg_terminate_backend(pg_backend_pid());
            RETURN NEW;
        END $$
        """
    )
    await owner.execute("CREATE TRIGGER die BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION die()")
    with pytest.raises(psycopg.OperationalError):
        await accounts.change_profile(Call(workspace_id, ada.id, "a request"), {"display_name": "Ada L."})
    assert (await accounts.profile(workspace_id, ada.id))["display_name"] == "Ada"
    assert len(await log_of(owner, workspace_id)) == 2
