"""What lasts longer than a session, or ends others, asks for the password again where it was given long ago."""

from psycopg import AsyncConnection

from tests.house import PASSWORD, Client, House, refused


async def aged(house: House, client: Client, seconds: int) -> None:
    """Let the password have been given so much earlier, in all sessions of a user."""
    async with await AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        await owner.execute(
            "UPDATE sessions SET proved_at = proved_at - make_interval(secs => %s) WHERE user_id = %s",
            (seconds, client.id),
        )


async def again(house: House, client: Client) -> str:
    """Another login of the same user; the id of its session."""
    body = {"email": client.tokens["user"]["email"], "password": PASSWORD}
    tokens = (await house.http.post("/auth/login", json=body)).json()
    other = Client(house.http, tokens, house.base)
    return str(next(item["id"] for item in await other.items("/auth/sessions") if item["current"]))


async def test_an_old_session_ends_others_and_makes_tokens_only_with_the_password(house: House) -> None:
    ada = await house.user()
    other, token = await again(house, ada), {"name": "x", "scopes": ["read"]}
    await aged(house, ada, house.settings.proof_seconds)
    for _ in range(2):
        for method, path, body in (
            ("DELETE", "/auth/sessions", None),
            ("DELETE", f"/auth/sessions/{other}", None),
            ("POST", "/auth/tokens", token),
        ):
            problem = refused(await ada.call(method, path, body), 403, "auth.proof_needed")
            assert problem["seconds"] == house.settings.proof_seconds
        refused(await ada.post("/auth/proof", {"password": "wrong"}), 403, "auth.wrong_password")
    assert len(await ada.items("/auth/sessions")) == 2
    assert await ada.items("/auth/tokens") == []
    assert (await ada.post("/auth/proof", {"password": PASSWORD})).status_code == 204
    assert (await ada.post("/auth/tokens", token)).status_code == 201
    assert (await ada.call("DELETE", f"/auth/sessions/{other}")).status_code == 204
    assert (await ada.call("DELETE", "/auth/sessions")).status_code == 204


async def test_a_refresh_is_no_proof_and_a_login_is_one_for_its_own_session_alone(house: House) -> None:
    ada = await house.user()
    await aged(house, ada, house.settings.proof_seconds)
    refreshed = await house.http.post("/auth/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
    await again(house, ada)
    old = Client(house.http, refreshed.json(), house.base)
    refused(await old.call("DELETE", "/auth/sessions"), 403, "auth.proof_needed")


async def test_ones_own_session_may_always_end(house: House) -> None:
    ada = await house.user()
    await aged(house, ada, house.settings.proof_seconds)
    [own] = await ada.items("/auth/sessions")
    assert (await ada.call("DELETE", f"/auth/sessions/{own['id']}")).status_code == 204


async def test_shortly_before_the_time_is_over_it_is_still_proof(house: House) -> None:
    ada = await house.user()
    await aged(house, ada, house.settings.proof_seconds - 60)
    assert (await ada.call("DELETE", "/auth/sessions")).status_code == 204
