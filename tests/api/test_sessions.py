"""Sessions of users: listed with where they are, and ended from any of them."""

import pytest

from api.devices import network
from tests.house import PASSWORD, Client, House, refused


async def again(house: House, client: Client, agent: str = "a browser") -> Client:
    """The same user, logged in once more."""
    body = {"email": client.tokens["user"]["email"], "password": PASSWORD}
    response = await house.http.post("/auth/login", json=body, headers={"User-Agent": agent})
    assert response.status_code == 200, response.text
    return Client(house.http, response.json(), house.base)


async def test_a_user_sees_where_they_are_logged_in(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    phone = await again(house, ada, "a phone\t" + "x" * 300)
    first, second = await ada.items("/auth/sessions")
    assert first.keys() == {
        "id", "created_at", "last_used_at", "expires_at", "user_agent", "network", "current",
    }  # fmt: skip
    assert (first["current"], second["current"]) == (False, True)
    assert first["user_agent"] == "a phone" + "x" * 193
    assert second["user_agent"].startswith("python-httpx/")
    assert first["network"] == second["network"] == "127.0.0.0/24"
    assert [session["current"] for session in await phone.items("/auth/sessions", limit=1)] == [True, False]
    assert len(await bob.items("/auth/sessions")) == 1


async def test_a_refresh_is_a_use_of_the_session(house: House) -> None:
    ada = await house.user()
    (before,) = await ada.items("/auth/sessions")
    assert before["last_used_at"] >= before["created_at"]
    await house.http.post("/auth/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
    (after,) = await ada.items("/auth/sessions")
    assert after["last_used_at"] > before["last_used_at"]
    assert after["expires_at"] > before["expires_at"]
    assert after["created_at"] == before["created_at"]


async def test_a_user_ends_one_session_from_another(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    lost = await again(house, ada)
    path = f"/auth/sessions/{(await ada.items('/auth/sessions'))[0]['id']}"
    refused(await bob.call("DELETE", path), 404, "session.not_found")
    async with lost.socket() as socket:
        assert (await ada.call("DELETE", path)).status_code == 204
        refused(await lost.get("/tasks"), 401, "auth.session_revoked")
        refused(await lost.post("/tasks", {"title": "a"}), 401, "auth.session_revoked")
        assert await socket.closed() == (4401, "auth.session_revoked")
    refresh = await house.http.post("/auth/refresh", json={"refresh_token": lost.tokens["refresh_token"]})
    refused(refresh, 401, "auth.refresh_invalid")
    refused(await ada.call("DELETE", path), 404, "session.not_found")
    assert [session["current"] for session in await ada.items("/auth/sessions")] == [True]


async def test_a_user_ends_all_sessions_but_the_one_that_asks(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    others = [await again(house, ada) for _ in range(3)]
    assert (await ada.call("DELETE", "/auth/sessions")).status_code == 204
    for other in others:
        refused(await other.get("/tasks"), 401, "auth.session_revoked")
    assert (await ada.get("/tasks")).status_code == (await bob.get("/tasks")).status_code == 200
    (mine,) = await ada.items("/auth/sessions")
    assert (await ada.call("DELETE", f"/auth/sessions/{mine['id']}")).status_code == 204  # a logout
    refused(await ada.get("/auth/sessions"), 401, "auth.session_revoked")


async def test_ending_sessions_leaves_personal_tokens_alone_and_they_end_no_session(house: House) -> None:
    ada = await house.user()
    made = await ada.post("/auth/tokens", {"name": "a", "scopes": ["read", "write", "admin"]})
    script = Client(house.http, {"access_token": made.json()["token"]}, house.base)
    (mine,) = await ada.items("/auth/sessions")
    for method, path in (
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions"),
        ("DELETE", f"/auth/sessions/{mine['id']}"),
    ):
        refused(await script.call(method, path), 403, "auth.scope")
    await ada.call("DELETE", "/auth/sessions")
    assert (await script.get("/tasks")).status_code == 200


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", None),
        ("", None),
    ],
)
def test_of_an_address_the_network_is_kept(host: str, kept: str | None) -> None:
    assert network(host) == kept
