"""What each persona sends for an operation: whatever has to be there is made first."""

import base64
from collections.abc import Awaitable, Callable
from time import time
from uuid import uuid4

from api.workflows import REVIEWED
from commands.one_time import STEP_SECONDS, code_at
from tests.api.cast import NOBODY, OVERSEERS, OWN, Body, Cast, done, new_key, new_project
from tests.house import PASSWORD, Client, position_of

# What a persona sends: the method, the path and the body.
Request = tuple[str, str, Body | None]
Make = Callable[[Cast, str], Awaitable[Request]]


def task(method: str, suffix: str = "", body: Body | None = None, *moves: str) -> Make:
    async def make(cast: Cast, persona: str) -> Request:
        task = await cast.task(persona, *moves)
        return method, f"/tasks/{task['id']}{suffix}", body

    return make


def plain(method: str, path: str, body: Body | None = None) -> Make:
    async def make(_: Cast, __: str) -> Request:
        return method, path, body

    return make


def comment(method: str, suffix: str = "", body: Body | None = None, *, own: bool = False) -> Make:
    """On a comment of the task's creator, or where the persona can write one, their own."""

    async def make(cast: Cast, persona: str) -> Request:
        task = await cast.task(persona)
        author = persona if own and persona in (*OWN, *OVERSEERS) else "creator"
        posted = await cast[author].post(f"/tasks/{task['id']}/comments", {"body": "a comment of the matrix"})
        assert posted.status_code == 201, posted.text
        return method, f"/tasks/{task['id']}/comments/{posted.json()['id']}{suffix}", body

    return make


def watch(method: str) -> Make:
    """Oneself."""

    async def make(cast: Cast, persona: str) -> Request:
        path = f"/tasks/{(await cast.task(persona))['id']}/watchers/{cast[persona].id}"
        if method == "DELETE" and persona not in NOBODY:
            await cast[persona].call("PUT", path)
        return method, path, None

    return make


def made(method: str, made: tuple[str, Body], body: Body | None = None) -> Make:
    """On what the creator has made at a place below the task: its `Location`."""

    async def make(cast: Cast, persona: str) -> Request:
        task = await cast.task(persona)
        answer = await cast["creator"].post(f"/tasks/{task['id']}{made[0]}", made[1])
        assert answer.status_code == 201, answer.text
        return method, answer.headers["Location"].removeprefix("/api/v1"), body

    return make


def file(method: str, suffix: str = "") -> Make:
    """On a file that the creator has put at the task."""

    async def make(cast: Cast, persona: str) -> Request:
        path = f"/tasks/{(await cast.task(persona))['id']}/attachments"
        put = await cast.house.http.post(path, files={"file": ("a.txt", b"text")}, headers=cast["creator"].headers)
        assert put.status_code == 201, put.text
        return method, f"{path}/{put.json()['id']}{suffix}", None

    return make


def job(method: str, suffix: str = "") -> Make:
    """On a job of the creator's."""

    async def make(cast: Cast, _: str) -> Request:
        headers = {**cast["creator"].headers, "Content-Type": "text/csv"}
        for old in (await cast["creator"].get("/jobs")).json()["items"]:
            await cast["creator"].post(f"/jobs/{old['id']}/cancel")
        sent = await cast.house.http.post("/tasks/import", content=b"title\na task\n", headers=headers)
        assert sent.status_code == 202, sent.text
        return method, f"/jobs/{sent.json()['id']}{suffix}", None

    return make


async def add_dependency(cast: Cast, persona: str) -> Request:
    """On another task that is the same to the persona."""
    task, other = await cast.task(persona), await cast.task(persona)
    return "POST", f"/tasks/{task['id']}/dependencies", {"type": "blocks", "task_id": other["id"]}


async def remove_dependency(cast: Cast, persona: str) -> Request:
    """On a task that nobody but the admin sees."""
    task, other = await cast.task(persona), await cast["admin"].task("another")
    path = f"/tasks/{task['id']}/dependencies"
    await done(cast["admin"].post(path, {"type": "relates", "task_id": other["id"]}))
    return "DELETE", f"{path}/relates/{other['id']}", None


async def assign_to_oneself(cast: Cast, persona: str) -> Request:
    task = await cast.task("assignee" if persona == "assignee" else "teammate")
    return "POST", f"/tasks/{task['id']}/assign", {"user_id": cast[persona].id}


async def get_tag(cast: Cast, _: str) -> Request:
    """One that the admin has described."""
    await done(cast["admin"].call("PATCH", "/tags/known", {"colour": "#00ff00"}))
    return "GET", "/tags/known", None


async def get_user(cast: Cast, _: str) -> Request:
    return "GET", f"/users/{cast['lead'].id}", None


async def _newcomer(cast: Cast) -> str:
    return (await cast.house.user()).id


def user(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        return method, f"/users/{await _newcomer(cast)}{suffix}", body

    return make


def team(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        return method, f"/teams/{cast.team}{suffix}", body

    return make


def project(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        return method, f"/projects/{cast.project}{suffix}", body

    return make


async def delete_project(cast: Cast, _: str) -> Request:
    """An empty one with the same members."""
    return "DELETE", f"/projects/{await new_project(cast['admin'], cast.clients)}", None


async def create_project(_: Cast, __: str) -> Request:
    return "POST", "/projects", {"name": "new", "key": new_key()}


async def restore_project(cast: Cast, _: str) -> Request:
    await done(cast["admin"].post(f"/projects/{cast.project}/archive"))
    return "POST", f"/projects/{cast.project}/restore", None


async def archive_project(cast: Cast, _: str) -> Request:
    await done(cast["admin"].post(f"/projects/{cast.project}/restore"))
    return "POST", f"/projects/{cast.project}/archive", None


async def add_project_member(cast: Cast, _: str) -> Request:
    return "PUT", f"/projects/{cast.project}/members/{await _newcomer(cast)}", {}


async def remove_project_member(cast: Cast, _: str) -> Request:
    path = f"/projects/{cast.project}/members/{await _newcomer(cast)}"
    await done(cast["admin"].call("PUT", path))
    return "DELETE", path, None


def workflow(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        made = await cast["admin"].post("/workflows", REVIEWED)
        assert made.status_code == 201, made.text
        await cast["admin"].get("/workflows", min_position=position_of(made))
        return method, f"/workflows/{made.json()['id']}{suffix}", body

    return make


async def choose_workflow(cast: Cast, _: str) -> Request:
    made = await cast["admin"].post("/workflows", REVIEWED)
    return "PUT", f"/projects/{cast.project}/workflow", {"workflow_id": made.json()["id"]}


async def delete_team(cast: Cast, _: str) -> Request:
    return "DELETE", f"/teams/{await cast['admin'].team()}", None


async def add_member(cast: Cast, _: str) -> Request:
    return "PUT", f"/teams/{cast.team}/members/{await _newcomer(cast)}", {}


async def remove_member(cast: Cast, _: str) -> Request:
    user_id = await _newcomer(cast)
    path = f"/teams/{cast.team}/members/{user_id}"
    await done(cast["admin"].call("PUT", path))
    return "DELETE", path, None


async def delete_token(cast: Cast, persona: str) -> Request:
    if persona in NOBODY:
        return "DELETE", f"/auth/tokens/{uuid4()}", None
    made = await cast[persona].post("/auth/tokens", {"name": "x", "scopes": ["read"]})
    return "DELETE", f"/auth/tokens/{made.json()['id']}", None


async def delete_feed(cast: Cast, persona: str) -> Request:
    if persona in NOBODY:
        return "DELETE", f"/feeds/{uuid4()}", None
    made = await cast[persona].post("/feeds", {"name": "x"})
    return "DELETE", f"/feeds/{made.json()['id']}", None


async def end_session(cast: Cast, persona: str) -> Request:
    """Another session of the same user, so that the persona stays logged in."""
    client = cast[persona]
    if persona in NOBODY:
        return "DELETE", f"/auth/sessions/{uuid4()}", None
    body = {"email": client.tokens["user"]["email"], "password": PASSWORD}
    await cast.house.http.post("/auth/login", json=body)
    found = (await client.get("/auth/sessions")).json()["items"]
    other = next(item["id"] for item in found if not item["current"])
    return "DELETE", f"/auth/sessions/{other}", None


def _guest() -> str:
    return f"{uuid4()}@example.com"


async def create_invite(_: Cast, __: str) -> Request:
    return "POST", "/users/invites", {"email": _guest(), "role": "member"}


def invite(method: str) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        made = await cast["admin"].post("/users/invites", {"email": _guest(), "role": "member"})
        assert made.status_code == 201, made.text
        return method, f"/users/invites/{made.json()['id']}", None

    return make


async def change_email(_: Cast, __: str) -> Request:
    return "POST", "/auth/email", {"new_email": _guest(), "password": PASSWORD}


async def _begun(client: Client) -> bytes:
    """The secret of a second factor that waits for its code."""
    answer = await client.post("/auth/second-factor", {"password": PASSWORD})
    assert answer.status_code == 201, answer.text
    text = answer.json()["secret"]
    return base64.b32decode(text + "=" * (-len(text) % 8))


async def _recovery(client: Client) -> str:
    """A recovery code of a second factor."""
    code = code_at(await _begun(client), int(time() // STEP_SECONDS))
    answer = await client.post("/auth/second-factor/confirm", {"otp": code})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["recovery_codes"][0])


async def confirm_factor(cast: Cast, persona: str) -> Request:
    code = "000000" if persona in NOBODY else code_at(await _begun(cast[persona]), int(time() // STEP_SECONDS))
    return "POST", "/auth/second-factor/confirm", {"otp": code}


def factor(suffix: str) -> Make:
    async def make(cast: Cast, persona: str) -> Request:
        code = "000000" if persona in NOBODY else await _recovery(cast[persona])
        return "POST", f"/auth/second-factor/{suffix}", {"password": PASSWORD, "otp": code}

    return make


async def reset_factor(cast: Cast, _: str) -> Request:
    newcomer = await cast.house.user()
    await _recovery(newcomer)
    return "POST", f"/users/{newcomer.id}/second-factor/reset", None
