"""Members, roles and profiles."""

import asyncio
from uuid import uuid4

from tests.house import House, position_of, refused


async def test_the_first_user_is_the_admin_and_the_next_are_members(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    eve = await house.user("elsewhere")
    roles = [(await client.get("/users/profile")).json()["role"] for client in (ada, bob, eve)]
    assert roles == ["admin", "member", "admin"]


async def test_of_many_who_register_at_once_one_is_the_admin(house: House) -> None:
    clients = await asyncio.gather(*[house.user() for _ in range(6)])
    assert sorted(client.tokens["user"]["role"] for client in clients) == ["admin"] + ["member"] * 5


async def test_members_are_listed_in_the_order_of_joining(house: House) -> None:
    clients = [await house.user() for _ in range(5)]
    ada = clients[0]
    head = await house.head()
    for limit in (1, 2, 50):
        users = await ada.items("/users", limit=limit, min_position=head)
        assert [user["id"] for user in users] == [client.id for client in clients]
    first = await ada.get("/users", limit=2)
    assert f"cursor={clients[1].id}" in first.headers["Link"]
    one = await ada.get(f"/users/{clients[3].id}")
    assert one.json() == users[3]
    assert one.headers["ETag"] == '"1"'
    assert one.json().keys() == {"id", "version", "email", "display_name", "role", "active", "teams", "joined_at"}
    refused(await ada.get(f"/users/{uuid4()}"), 404, "user.not_found")
    refused(await ada.get("/users", cursor="x"), 422, "request.invalid")


async def test_a_profile_is_changed_field_by_field(house: House) -> None:
    ada = await house.user()
    before = (await ada.get("/users/profile")).json()
    named = await ada.call("PUT", "/users/profile", {"display_name": "Ada L."})
    assert named.json() == before | {"display_name": "Ada L.", "version": 2}
    chosen = await ada.call("PUT", "/users/profile", {"preferences": {"theme": "dark"}})
    assert chosen.json() == named.json() | {"preferences": {"theme": "dark"}, "version": 3}
    same = await ada.call("PUT", "/users/profile", {"display_name": "Ada L.", "preferences": {"theme": "dark"}})
    assert same.json() == chosen.json()
    assert (await ada.call("PUT", "/users/profile", {})).json() == chosen.json()
    read = await ada.get("/users/profile")
    assert (read.json(), read.headers["ETag"]) == (chosen.json(), '"3"')
    refused(await ada.call("PUT", "/users/profile", {"display_name": "x"}, if_match='"1"'), 412, "precondition.failed")


async def test_a_profile_says_when_and_in_which_language_one_lives(house: House) -> None:
    ada = await house.user()
    before = (await ada.get("/users/profile")).json()
    assert (before["time_zone"], before["locale"], before["preferences"]) == ("UTC", "en", {})
    changed = await ada.call("PUT", "/users/profile", {"time_zone": "Europe/Berlin", "locale": "DE-ch"})
    assert changed.json() == before | {"time_zone": "Europe/Berlin", "locale": "de-CH", "version": 2}
    assert (await ada.get("/users/profile")).json() == changed.json()
    again = await ada.call("PUT", "/users/profile", {"time_zone": "Europe/Berlin", "locale": "de-ch"})
    assert again.headers["ETag"] == '"2"'
    for body, code in (
        ({"time_zone": "Mars/Olympus"}, "profile.time_zone"),
        ({"locale": "en_US"}, "profile.locale"),
        ({"preferences": {"notifications": {"task.assigned": "yes"}}}, "preferences.value"),
        ({"time_zone": None}, "request.invalid"),
        ({"email": "x@example.com"}, "request.invalid"),
        ({"role": "admin"}, "request.invalid"),
    ):
        refused(await ada.call("PUT", "/users/profile", body), 422, code)
    assert (await ada.get("/users/profile")).json() == changed.json()
    bob = await house.user()
    shown = (await bob.get(f"/users/{ada.id}")).json()
    assert not {"time_zone", "locale", "preferences"} & shown.keys(), "what one likes is one's own"


async def test_no_profile_value_gets_into_the_log(house: House) -> None:
    ada = await house.user()
    values = {"display_name": "Augusta", "preferences": {"pet": "walrus"}, "time_zone": "Asia/Tokyo", "locale": "ja"}
    assert (await ada.call("PUT", "/users/profile", values)).status_code == 200
    async with house.pool.connection() as connection:
        rows = await (await connection.execute("SELECT meta::text || data::text FROM events")).fetchall()
    text = "".join(row[0] for row in rows)
    assert rows
    for secret in ("Augusta", "walrus", "Tokyo", '"ja"', "@example.com", "user1"):
        assert secret not in text


async def test_only_admins_change_roles(house: House) -> None:
    ada, bob, mary = [await house.user() for _ in range(3)]
    changed = await ada.call("PUT", f"/users/{mary.id}/role", {"role": "manager"})
    assert changed.json()["role"] == "manager"
    assert changed.headers["ETag"] == '"2"'
    listed = await ada.get(f"/users/{mary.id}", min_position=position_of(changed))
    assert listed.json() == changed.json()
    assert (await ada.call("PUT", f"/users/{mary.id}/role", {"role": "manager"})).headers["ETag"] == '"2"'
    for client in (bob, mary):
        refused(await client.call("PUT", f"/users/{client.id}/role", {"role": "admin"}), 403, "auth.forbidden")
    refused(await ada.call("PUT", f"/users/{uuid4()}/role", {"role": "admin"}), 404, "user.not_found")
    refused(
        await ada.call("PUT", f"/users/{mary.id}/role", {"role": "member"}, if_match='"1"'), 412, "precondition.failed"
    )


async def test_the_last_admin_stays_however_many_leave_at_once(house: House) -> None:
    ada = await house.user()
    refused(await ada.call("PUT", f"/users/{ada.id}/role", {"role": "member"}), 409, "user.last_admin")
    admins = [ada, *[await house.user(role="admin", by=ada) for _ in range(3)]]
    answers = await asyncio.gather(
        *[admin.call("PUT", f"/users/{admin.id}/role", {"role": "member"}) for admin in admins]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 409]
    roles = [user["role"] for user in await ada.items("/users", min_position=await house.head())]
    assert roles.count("admin") == 1
