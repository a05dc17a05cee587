"""Feeds: what is due to somebody as iCalendar, under a secret address."""

import io
import logging
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from api.defence.secrets import HIDDEN, logged
from commands.feeds import MOST, PREFIX
from commands.personal_tokens import make
from tests.house import Client, Database, House, Servers, position_of, refused

DUE = "2027-01-31T17:00:00Z"


async def feed(client: Client, name: str = "Due to me", **more: bool) -> dict[str, Any]:
    response = await client.post("/feeds", {"name": name, **more})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def read(house: House, made: dict[str, Any], **headers: str) -> httpx.Response:
    """As a calendar reads it: by its address alone."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await house.http.get(made["url"].replace(house.settings.public_url, house.base), headers=named)


async def shown(house: House, made: dict[str, Any], kind: str = "VEVENT", query: str = "") -> list[Any]:
    response = await house.http.get(f"/feeds/{made['secret']}.ics{query}")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in response.content.split(b"\r\n")), "lines are folded (RFC 5545 §3.1)"
    return components(response, kind)


def components(response: httpx.Response, kind: str = "VEVENT") -> list[Any]:
    """As another program understands them."""
    calendar: Any = Calendar.from_ical(response.content)
    return [*calendar.walk(kind)]


async def test_open_tasks_that_one_has_or_made_for_nobody_are_events_at_their_due_dates(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    mine = await ada.task("Write; the, report\\ ✓ " + "long " * 30, due_at=DUE, priority="urgent", tags=["q4", "a,b"])
    day = await ada.task("All day", due_on="2027-02-01", due_zone="Asia/Tokyo", assignee={"id": ada.id})
    await ada.task("No date")
    await ada.task("Of Eve", due_at=DUE, assignee={"id": eve.id})
    done = await ada.task("Done", due_at=DUE)
    await ada.post(f"/tasks/{done['id']}/complete")
    last = await eve.task("Of nobody's business", due_at=DUE)
    await ada.get("/tasks", min_position=last["position"])
    first, second = await shown(house, await feed(ada))
    assert (first["uid"], second["uid"]) == (mine["id"], day["id"])
    assert (first["summary"], first["priority"], first["sequence"]) == (mine["title"], 1, 0)
    assert first["dtstart"].dt == datetime(2027, 1, 31, 17, tzinfo=UTC)
    assert second["dtstart"].dt == date(2027, 2, 1)
    assert [str(name) for name in first["categories"].cats] == ["q4", "a,b"]
    assert "dtend" not in first
    [todo, _] = await shown(house, await feed(ada), "VTODO", "?as=todo")
    assert (todo["due"].dt, todo["status"], todo["uid"]) == (first["dtstart"].dt, "NEEDS-ACTION", mine["id"])


async def test_what_rests_in_an_archived_project_is_due_to_nobody(house: House) -> None:
    ada = await house.user()
    project = (await ada.post("/projects", {"name": "Application", "key": "APP"})).json()["id"]
    await ada.task("Rests", due_at=DUE, project_id=project)
    await ada.task("Goes on", due_at=DUE)
    made = await feed(ada)
    for action, titles in (("archive", ["Goes on"]), ("restore", ["APP-1 Rests", "Goes on"])):
        answer = await ada.post(f"/projects/{project}/{action}")
        await ada.get("/projects", min_position=position_of(answer))
        await ada.get("/tasks", min_position=position_of(answer))
        assert sorted(str(event["summary"]) for event in await shown(house, made)) == titles


async def test_text_of_any_kind_comes_out_as_it_was(house: House) -> None:
    ada = await house.user()
    text = "two\nlines\\, with; BEGIN:VEVENT\r\nand \x01 a bell\x07, 𠀀\u2028\x85\ufeff" + "é" * 100
    task = await ada.task("END:VCALENDAR", description=text, due_at=DUE)
    await ada.get("/tasks", min_position=task["position"])
    [event] = await shown(house, await feed(ada, "My; feed"))
    assert event["summary"] == "END:VCALENDAR"
    assert event["description"] == text.replace("\r\n", "\n").replace("\x01", "").replace("\x07", "")


async def test_a_change_is_a_later_revision_and_what_has_not_changed_is_not_sent_again(house: House) -> None:
    ada = await house.user()
    task = await ada.task("Write", due_at=DUE)
    await ada.get("/tasks", min_position=task["position"])
    made = await feed(ada)
    first = await read(house, made)
    assert first.headers["Cache-Control"] == "private, no-cache"
    same = await read(house, made, if_none_match=f'"other", {first.headers["ETag"]}')
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert (await read(house, made, if_none_match="*")).status_code == 304
    moved = await ada.call("PATCH", f"/tasks/{task['id']}", {"due_at": "2027-02-01T09:00:00Z"})
    await ada.get("/tasks", min_position=position_of(moved))
    later = await read(house, made, if_none_match=first.headers["ETag"])
    [event] = components(later)
    assert (later.status_code, event["uid"], event["sequence"]) == (200, task["id"], 1)
    assert event["dtstamp"].dt == datetime.fromisoformat(moved.json()["updated_at"]).replace(microsecond=0)


async def test_a_feed_is_listed_without_its_secret_and_ends_when_it_is_withdrawn(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    made = await feed(ada)
    assert (await read(house, made)).status_code == 200
    [listed] = await ada.items("/feeds")
    assert listed["last_used_at"] is not None
    assert listed.keys() == {"id", "name", "teams", "created_at", "last_used_at"}
    assert await eve.items("/feeds") == []
    refused(await eve.call("DELETE", f"/feeds/{made['id']}"), 404, "feed.not_found")
    assert (await ada.call("DELETE", f"/feeds/{made['id']}")).status_code == 204
    refused(await ada.call("DELETE", f"/feeds/{made['id']}"), 404, "feed.not_found")
    refused(await read(house, made), 404, "feed.not_found")


async def test_every_secret_that_opens_nothing_is_answered_alike(house: House) -> None:
    ada = await house.user()
    token = (await ada.post("/auth/tokens", {"name": "x", "scopes": ["read"]})).json()["token"]
    made = await feed(ada)
    for secret in ("x", make(PREFIX), make(), token, made["secret"][:-1], made["secret"] + "x", made["id"]):
        problem = refused(await house.http.get(f"/feeds/{secret}.ics"), 404, "feed.not_found")
        assert problem["detail"] == "there is no such feed"
    client = Client(house.http, {"access_token": made["secret"]}, house.base)
    refused(await client.get("/tasks"), 401, "auth.token_invalid")


async def test_whoever_is_shut_out_or_sees_less_shows_no_more(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    project = (await ada.post("/projects", {"name": "Application", "key": "APP"})).json()["id"]
    await ada.call("PUT", f"/projects/{project}/members/{bob.id}", {"role": "editor"})
    task = await bob.task("In the project", project_id=project, due_at=DUE)
    await ada.get("/tasks", min_position=task["position"])
    made = await feed(bob)
    assert [event["summary"] for event in await shown(house, made)] == ["APP-1 In the project"]
    gone = await ada.call("DELETE", f"/projects/{project}/members/{bob.id}")
    await ada.get("/tasks", min_position=position_of(gone))
    assert await shown(house, made) == []
    assert (await ada.post(f"/users/{bob.id}/deactivate")).status_code == 200
    refused(await read(house, made), 404, "feed.not_found")
    assert (await ada.post(f"/users/{bob.id}/reactivate")).status_code == 200
    refused(await read(house, made), 404, "feed.not_found")


async def test_a_feed_shows_the_tasks_of_ones_teams_where_that_is_asked_for(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    team, other = await ada.team(bob), await ada.team(ada)
    await ada.task("Of the team", due_at=DUE, assignee={"type": "team", "id": team})
    await ada.task("Of another team", due_at=DUE, assignee={"type": "team", "id": other})
    last = await ada.task("Of Bob", due_at="2027-02-01T17:00:00Z", assignee={"id": bob.id})
    await ada.get("/tasks", min_position=last["position"])
    own, wide = await feed(bob), await feed(bob, teams=True)
    assert [event["summary"] for event in await shown(house, own)] == ["Of Bob"]
    assert [event["summary"] for event in await shown(house, wide)] == ["Of the team", "Of Bob"]
    assert [each["teams"] for each in await bob.items("/feeds")] == [True, False]
    gone = await ada.call("DELETE", f"/teams/{team}/members/{bob.id}")
    await ada.get("/tasks", min_position=position_of(gone))
    assert [event["summary"] for event in await shown(house, wide)] == ["Of Bob"]


async def test_a_stolen_token_makes_no_feed_and_one_has_not_too_many(house: House) -> None:
    ada = await house.user()
    token = (await ada.post("/auth/tokens", {"name": "x", "scopes": ["read", "write", "admin"]})).json()["token"]
    client = Client(house.http, {"access_token": token}, house.base)
    refused(await client.post("/feeds", {"name": "x"}), 403, "auth.scope")
    for _ in range(MOST):
        await feed(ada)
    refused(await ada.post("/feeds", {"name": "one more"}), 409, "feed.too_many")
    refused(await ada.post("/feeds", {"name": " "}), 422, "value.blank")


async def test_a_new_password_by_a_mailed_link_ends_feeds_too(house: House) -> None:
    ada = await house.user()
    made = await feed(ada)
    workspace_id = house.services.identify(ada.headers["Authorization"]).workspace_id
    async with house.pool.connection() as connection:
        await connection.execute("SELECT revoke_all(%s, %s, NULL, false)", (workspace_id, ada.id))
        assert len(await ada_feeds(house, ada)) == 1, "a changed password ends sessions alone"
        await connection.execute("SELECT revoke_all(%s, %s, NULL, true)", (workspace_id, ada.id))
    refused(await read(house, made), 404, "feed.not_found")


async def ada_feeds(house: House, ada: Client) -> list[object]:
    workspace_id = house.services.identify(ada.headers["Authorization"]).workspace_id
    return [*await house.services.feeds.page(workspace_id, ada.id, None, 10)]


@pytest.mark.parametrize(
    "path", ["/api/v1/feeds/tff_secret.ics", "/api/v1/feeds/a/b", "/api/v1/feeds/\ntff_x", "/feeds/tff_x"]
)
def test_no_secret_of_a_feed_is_written_down(path: str) -> None:
    assert logged(path) == f"{path.partition('/feeds/')[0]}/feeds/{HIDDEN}"


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks", "/api/v1/feeds", "/api/v1/feeds/", "/api/v1/feeds/019c2f3e-0000-7000-8000-000000000001"]
)
def test_other_paths_are_written_down_as_they_are(path: str) -> None:
    assert logged(path) == path


async def test_the_log_of_a_running_program_has_no_secret_of_a_feed(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, log_level="DEBUG", log_format="json", projecting=False) as house:
        text = io.StringIO()
        root = logging.getLogger()
        before = root.handlers[:]
        root.handlers = [logging.StreamHandler(text)]
        house.app.front._access_log._write = text.write  # type: ignore[attr-defined]
        try:
            made = await feed(await house.user())
            for suffix in (".ics", ".ics?as=x", ".icz", ""):
                await house.http.get(f"/feeds/{made['secret']}{suffix}")
            house.app.front._access_log.flush()  # type: ignore[attr-defined]
        finally:
            root.handlers = before
        written = "".join(line for line in text.getvalue().splitlines(keepends=True) if "HTTP Request" not in line)
        assert f"/api/v1/feeds/{HIDDEN}" in written
        assert made["secret"] not in written
