"""Everybody who may ask, and for every operation what each of them is to be answered.

The expected table stands here, and not in the program: a policy that is loosened there shows by what it lets through.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from time import time
from typing import Any, Final
from uuid import uuid4

import httpx
import jwt

from api.signing_keys import ALGORITHM
from api.workflows import REVIEWED
from commands.one_time import STEP_SECONDS, code_at
from tests.house import PASSWORD, Client, House, position_of

Body = dict[str, Any]

MEMBERS: Final = ("creator", "assignee", "teammate", "lead", "former", "unrelated")
OVERSEERS: Final = ("manager", "admin")
NOBODY: Final = ("expired", "revoked", "anonymous")
PERSONAS: Final = (*MEMBERS, *OVERSEERS, "auditor", *NOBODY)
_keys = count()
OWN: Final = ("creator", "assignee", "teammate", "lead")  # to whom the task is their own


@dataclass
class Cast:
    """The personas of a workspace, by name; the team of `teammate` and `lead`, which `former` has left; a project."""

    house: House
    clients: dict[str, Client]
    team: str
    project: str

    def __getitem__(self, persona: str) -> Client:
        return self.clients[persona]

    async def task(self, persona: str, *moves: str) -> dict[str, Any]:
        """A task that is to a persona what the name of the persona says, after some moves."""
        creator, admin = self["creator"], self["admin"]
        task = await creator.task("a task of the matrix")
        path = f"/tasks/{task['id']}"
        assignee = {"user_id": self["assignee"].id} if persona == "assignee" else {"team_id": self.team}
        await _done(admin.post(f"{path}/assign", assignee))
        for move in moves:
            await _done(admin.call("DELETE", path) if move == "delete" else admin.post(f"{path}/{move}"))
        return task


async def cast(house: House) -> Cast:
    """Let them all in."""
    admin = await house.user()
    clients = {"admin": admin}
    for persona in (*MEMBERS, "revoked", "expired"):
        clients[persona] = await house.user()
    for persona in ("manager", "auditor"):
        clients[persona] = await house.user(role=persona, by=admin)
    team = await admin.team(clients["teammate"], clients["former"])
    await _done(admin.call("PUT", f"/teams/{team}/members/{clients['lead'].id}", {"role": "lead"}))
    await _done(admin.call("DELETE", f"/teams/{team}/members/{clients['former'].id}"))
    revoked = clients["revoked"]
    await _done(house.http.post("/auth/logout", json={"refresh_token": revoked.tokens["refresh_token"]}))
    clients["expired"] = _with_token(clients["expired"], _expired(house, clients["expired"]))
    clients["anonymous"] = _with_token(clients["unrelated"], "")
    return Cast(house, clients, team, await _new_project(admin, clients))


def _key() -> str:
    return f"K{next(_keys)}"


async def _new_project(admin: Client, clients: Mapping[str, Client]) -> str:
    """A project in which the lead leads, the teammate edits and the assignee looks; `former` has left it."""
    made = await admin.post("/projects", {"name": "matrix", "key": _key()})
    path = f"/projects/{made.json()['id']}/members"
    for persona, role in (("lead", "lead"), ("teammate", "editor"), ("assignee", "viewer"), ("former", "lead")):
        await _done(admin.call("PUT", f"{path}/{clients[persona].id}", {"role": role}))
    for gone in (clients["former"], admin):
        await _done(admin.call("DELETE", f"{path}/{gone.id}"))
    return str(made.json()["id"])


async def _done(response: Awaitable[httpx.Response]) -> None:
    answered = await response
    assert answered.is_success, answered.text


def _with_token(client: Client, token: str) -> Client:
    return replace(client, tokens=client.tokens | {"access_token": token})


def _expired(house: House, client: Client) -> str:
    """The client's own token, as if it had been signed long ago."""
    token = str(client.tokens["access_token"])
    claims = jwt.decode(token, options={"verify_signature": False})
    then = int(time()) - 10_000
    claims |= {"iat": then, "exp": then + 900}
    key = house.services.keys.signing
    return jwt.encode(claims, key.private, ALGORITHM, headers={"typ": "at+jwt", "kid": key.kid})


Verdicts = Mapping[str, int]  # persona -> status


def verdicts(*groups: tuple[tuple[str, ...], int]) -> Verdicts:
    """What each persona is answered; who has no session is always refused."""
    return {**dict.fromkeys(NOBODY, 401), **{persona: status for names, status in groups for persona in names}}


LOGGED_IN: Final = (*MEMBERS, *OVERSEERS, "auditor")
OUTSIDE: Final = ("former", "unrelated")

ANYBODY: Final = verdicts((LOGGED_IN, 200))
SEE: Final = verdicts(((*OWN, *OVERSEERS, "auditor"), 200), (OUTSIDE, 404))
CHANGE: Final = verdicts(((*OWN, *OVERSEERS), 200), (("auditor",), 403), (OUTSIDE, 404))
OF_OTHERS: Final = verdicts(  # what is around a task and the creator's: for the creator, leads, and who oversees all
    (("creator", "lead", *OVERSEERS), 200), (("assignee", "teammate", "auditor"), 403), (OUTSIDE, 404)
)
CREATE: Final = verdicts(((*MEMBERS, *OVERSEERS), 201), (("auditor",), 403))
ADMINS: Final = verdicts((("admin",), 200), ((*MEMBERS, "manager", "auditor"), 403))
MANAGERS: Final = verdicts((OVERSEERS, 200), ((*MEMBERS, "auditor"), 403))
LEADS: Final = verdicts((LOGGED_IN, 403), ((*OVERSEERS, "lead"), 200))


# In the project of the cast the lead leads, the teammate edits, the assignee looks, and `former` was once.
IN_PROJECT: Final = verdicts(
    (("lead", "teammate", "assignee", *OVERSEERS, "auditor"), 200), (("creator", *OUTSIDE), 404)
)
OF_LEADS: Final = verdicts(
    (("lead", *OVERSEERS), 200), (("teammate", "assignee", "auditor"), 403), (("creator", *OUTSIDE), 404)
)


def answering(table: Verdicts, status: int) -> Verdicts:
    """The same table, where success has another status."""
    return {persona: status if expected == 200 else expected for persona, expected in table.items()}


# What a persona sends: the method, the path and the body.
Request = tuple[str, str, Body | None]
Make = Callable[[Cast, str], Awaitable[Request]]


@dataclass(frozen=True)
class Case:
    """An operation: what each persona sends, and what it is answered.

    `hides` says that what may not be seen must look exactly like what is not there.
    """

    make: Make
    verdicts: Verdicts
    hides: bool = False


def _task(method: str, suffix: str = "", body: Body | None = None, *moves: str) -> Make:
    async def make(cast: Cast, persona: str) -> Request:
        task = await cast.task(persona, *moves)
        return method, f"/tasks/{task['id']}{suffix}", body

    return make


def _plain(method: str, path: str, body: Body | None = None) -> Make:
    async def make(_: Cast, __: str) -> Request:
        return method, path, body

    return make


def _comment(method: str, suffix: str = "", body: Body | None = None, *, own: bool = False) -> Make:
    """On a comment of the task's creator, or where the persona can write one, their own."""

    async def make(cast: Cast, persona: str) -> Request:
        task = await cast.task(persona)
        author = persona if own and persona in (*OWN, *OVERSEERS) else "creator"
        posted = await cast[author].post(f"/tasks/{task['id']}/comments", {"body": "a comment of the matrix"})
        assert posted.status_code == 201, posted.text
        return method, f"/tasks/{task['id']}/comments/{posted.json()['id']}{suffix}", body

    return make


def _watch(method: str) -> Make:
    """Oneself."""

    async def make(cast: Cast, persona: str) -> Request:
        path = f"/tasks/{(await cast.task(persona))['id']}/watchers/{cast[persona].id}"
        if method == "DELETE" and persona not in NOBODY:
            await cast[persona].call("PUT", path)
        return method, path, None

    return make


def _made(method: str, made: tuple[str, Body], body: Body | None = None) -> Make:
    """On what the creator has made at a place below the task: its `Location`."""

    async def make(cast: Cast, persona: str) -> Request:
        task = await cast.task(persona)
        answer = await cast["creator"].post(f"/tasks/{task['id']}{made[0]}", made[1])
        assert answer.status_code == 201, answer.text
        return method, answer.headers["Location"].removeprefix("/api/v1"), body

    return make


def _file(method: str, suffix: str = "") -> Make:
    """On a file that the creator has put at the task."""

    async def make(cast: Cast, persona: str) -> Request:
        path = f"/tasks/{(await cast.task(persona))['id']}/attachments"
        put = await cast.house.http.post(path, files={"file": ("a.txt", b"text")}, headers=cast["creator"].headers)
        assert put.status_code == 201, put.text
        return method, f"{path}/{put.json()['id']}{suffix}", None

    return make


async def _add_dependency(cast: Cast, persona: str) -> Request:
    """On another task that is the same to the persona."""
    task, other = await cast.task(persona), await cast.task(persona)
    return "POST", f"/tasks/{task['id']}/dependencies", {"type": "blocks", "task_id": other["id"]}


async def _remove_dependency(cast: Cast, persona: str) -> Request:
    """On a task that nobody but the admin sees."""
    task, other = await cast.task(persona), await cast["admin"].task("another")
    path = f"/tasks/{task['id']}/dependencies"
    await _done(cast["admin"].post(path, {"type": "relates", "task_id": other["id"]}))
    return "DELETE", f"{path}/relates/{other['id']}", None


async def _assign_to_oneself(cast: Cast, persona: str) -> Request:
    task = await cast.task("assignee" if persona == "assignee" else "teammate")
    return "POST", f"/tasks/{task['id']}/assign", {"user_id": cast[persona].id}


async def _get_tag(cast: Cast, _: str) -> Request:
    """One that the admin has described."""
    await _done(cast["admin"].call("PATCH", "/tags/known", {"colour": "#00ff00"}))
    return "GET", "/tags/known", None


async def _get_user(cast: Cast, _: str) -> Request:
    return "GET", f"/users/{cast['lead'].id}", None


async def _newcomer(cast: Cast) -> str:
    return (await cast.house.user()).id


def _user(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        return method, f"/users/{await _newcomer(cast)}{suffix}", body

    return make


def _team(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        return method, f"/teams/{cast.team}{suffix}", body

    return make


def _project(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        return method, f"/projects/{cast.project}{suffix}", body

    return make


async def _delete_project(cast: Cast, _: str) -> Request:
    """An empty one with the same members."""
    return "DELETE", f"/projects/{await _new_project(cast['admin'], cast.clients)}", None


async def _create_project(_: Cast, __: str) -> Request:
    return "POST", "/projects", {"name": "new", "key": _key()}


async def _restore_project(cast: Cast, _: str) -> Request:
    await _done(cast["admin"].post(f"/projects/{cast.project}/archive"))
    return "POST", f"/projects/{cast.project}/restore", None


async def _archive_project(cast: Cast, _: str) -> Request:
    await _done(cast["admin"].post(f"/projects/{cast.project}/restore"))
    return "POST", f"/projects/{cast.project}/archive", None


async def _add_project_member(cast: Cast, _: str) -> Request:
    return "PUT", f"/projects/{cast.project}/members/{await _newcomer(cast)}", {}


async def _remove_project_member(cast: Cast, _: str) -> Request:
    path = f"/projects/{cast.project}/members/{await _newcomer(cast)}"
    await _done(cast["admin"].call("PUT", path))
    return "DELETE", path, None


def _workflow(method: str, suffix: str = "", body: Body | None = None) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        made = await cast["admin"].post("/workflows", REVIEWED)
        assert made.status_code == 201, made.text
        await cast["admin"].get("/workflows", min_position=position_of(made))
        return method, f"/workflows/{made.json()['id']}{suffix}", body

    return make


async def _choose_workflow(cast: Cast, _: str) -> Request:
    made = await cast["admin"].post("/workflows", REVIEWED)
    return "PUT", f"/projects/{cast.project}/workflow", {"workflow_id": made.json()["id"]}


async def _delete_team(cast: Cast, _: str) -> Request:
    return "DELETE", f"/teams/{await cast['admin'].team()}", None


async def _add_member(cast: Cast, _: str) -> Request:
    return "PUT", f"/teams/{cast.team}/members/{await _newcomer(cast)}", {}


async def _remove_member(cast: Cast, _: str) -> Request:
    user_id = await _newcomer(cast)
    path = f"/teams/{cast.team}/members/{user_id}"
    await _done(cast["admin"].call("PUT", path))
    return "DELETE", path, None


async def _delete_token(cast: Cast, persona: str) -> Request:
    if persona in NOBODY:
        return "DELETE", f"/auth/tokens/{uuid4()}", None
    made = await cast[persona].post("/auth/tokens", {"name": "x", "scopes": ["read"]})
    return "DELETE", f"/auth/tokens/{made.json()['id']}", None


async def _end_session(cast: Cast, persona: str) -> Request:
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


async def _create_invite(_: Cast, __: str) -> Request:
    return "POST", "/users/invites", {"email": _guest(), "role": "member"}


def _invite(method: str) -> Make:
    async def make(cast: Cast, _: str) -> Request:
        made = await cast["admin"].post("/users/invites", {"email": _guest(), "role": "member"})
        assert made.status_code == 201, made.text
        return method, f"/users/invites/{made.json()['id']}", None

    return make


async def _change_email(_: Cast, __: str) -> Request:
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


async def _confirm_factor(cast: Cast, persona: str) -> Request:
    code = "000000" if persona in NOBODY else code_at(await _begun(cast[persona]), int(time() // STEP_SECONDS))
    return "POST", "/auth/second-factor/confirm", {"otp": code}


def _factor(suffix: str) -> Make:
    async def make(cast: Cast, persona: str) -> Request:
        code = "000000" if persona in NOBODY else await _recovery(cast[persona])
        return "POST", f"/auth/second-factor/{suffix}", {"password": PASSWORD, "otp": code}

    return make


async def _reset_factor(cast: Cast, _: str) -> Request:
    newcomer = await cast.house.user()
    await _recovery(newcomer)
    return "POST", f"/users/{newcomer.id}/second-factor/reset", None


NEW_PASSWORD: Final = {"current_password": PASSWORD, "new_password": "another horse battery"}
TITLE: Final = {"title": "new"}
HOUR: Final = {"minutes": 60, "on": "2026-11-21"}
ITEM: Final = ("/checklist", {"text": "an item of the matrix"})

CASES: Final[dict[str, Case]] = {
    "createTask": Case(_plain("POST", "/tasks", TITLE), CREATE),
    "listTasks": Case(_plain("GET", "/tasks"), ANYBODY),
    "searchTasks": Case(_plain("GET", "/tasks/search?q=matrix"), ANYBODY),
    "listChanges": Case(_plain("GET", "/changes"), ANYBODY),
    "getTask": Case(_task("GET"), SEE, hides=True),
    "getTaskHistory": Case(_task("GET", "/history"), SEE, hides=True),
    "replaceTask": Case(_task("PUT", "", TITLE), CHANGE, hides=True),
    "editTask": Case(_task("PATCH", "", TITLE), CHANGE, hides=True),
    "deleteTask": Case(_task("DELETE"), CHANGE, hides=True),
    "restoreTask": Case(_task("POST", "/restore", None, "delete"), CHANGE, hides=True),
    "assignTask": Case(_assign_to_oneself, CHANGE, hides=True),
    "unassignTask": Case(_task("POST", "/unassign"), CHANGE, hides=True),
    "moveTask": Case(_task("POST", "/moves", {"move": "start"}), CHANGE, hides=True),
    "listMoves": Case(_task("GET", "/moves"), SEE, hides=True),
    "startTask": Case(_task("POST", "/start"), CHANGE, hides=True),
    "pauseTask": Case(_task("POST", "/pause", None, "start"), CHANGE, hides=True),
    "completeTask": Case(_task("POST", "/complete"), CHANGE, hides=True),
    "cancelTask": Case(_task("POST", "/cancel"), CHANGE, hides=True),
    "reopenTask": Case(_task("POST", "/reopen", None, "complete"), CHANGE, hides=True),
    "listComments": Case(_task("GET", "/comments"), SEE, hides=True),
    "getComment": Case(_comment("GET"), SEE, hides=True),
    "getCommentHistory": Case(_comment("GET", "/history"), SEE, hides=True),
    "postComment": Case(_task("POST", "/comments", {"body": "new"}), answering(CHANGE, 201), hides=True),
    "editComment": Case(_comment("PATCH", "", {"body": "new"}, own=True), CHANGE, hides=True),
    "deleteComment": Case(_comment("DELETE"), OF_OTHERS, hides=True),
    "listWatchers": Case(_task("GET", "/watchers"), SEE, hides=True),
    "addWatcher": Case(_watch("PUT"), SEE, hides=True),
    "removeWatcher": Case(_watch("DELETE"), SEE, hides=True),
    "getChecklist": Case(_task("GET", "/checklist"), SEE, hides=True),
    "addChecklistItem": Case(_task("POST", "/checklist", {"text": "new"}), answering(CHANGE, 201), hides=True),
    "changeChecklistItem": Case(_made("PATCH", ITEM, {"checked": True}), CHANGE, hides=True),
    "removeChecklistItem": Case(_made("DELETE", ITEM), CHANGE, hides=True),
    "listTimeEntries": Case(_task("GET", "/time-entries"), SEE, hides=True),
    "addTimeEntry": Case(_task("POST", "/time-entries", HOUR), answering(CHANGE, 201), hides=True),
    "editTimeEntry": Case(_made("PATCH", ("/time-entries", HOUR), {"minutes": 61}), OF_OTHERS, hides=True),
    "removeTimeEntry": Case(_made("DELETE", ("/time-entries", HOUR)), OF_OTHERS, hides=True),
    "listAttachments": Case(_task("GET", "/attachments"), SEE, hides=True),
    "addAttachment": Case(_task("POST", "/attachments?name=a.json", {}), answering(CHANGE, 201), hides=True),
    "getAttachment": Case(_file("GET"), SEE, hides=True),
    "getAttachmentContent": Case(_file("GET", "/content"), SEE, hides=True),
    "removeAttachment": Case(_file("DELETE"), OF_OTHERS, hides=True),
    "listSubtasks": Case(_task("GET", "/subtasks"), SEE, hides=True),
    "createSubtask": Case(_task("POST", "/subtasks", TITLE), answering(CHANGE, 201), hides=True),
    "listDependencies": Case(_task("GET", "/dependencies"), SEE, hides=True),
    "addDependency": Case(_add_dependency, CHANGE, hides=True),
    "removeDependency": Case(_remove_dependency, CHANGE, hides=True),
    "listTags": Case(_plain("GET", "/tags"), ANYBODY),
    "getTag": Case(_get_tag, ANYBODY),
    "changeTag": Case(_plain("PATCH", "/tags/old", {"colour": "#ff0000"}), MANAGERS),
    "removeTag": Case(_plain("DELETE", "/tags/old"), MANAGERS),
    "listUsers": Case(_plain("GET", "/users"), ANYBODY),
    "getUser": Case(_get_user, ANYBODY),
    "changeRole": Case(_user("PUT", "/role", {"role": "manager"}), ADMINS),
    "getProfile": Case(_plain("GET", "/users/profile"), ANYBODY),
    "changeProfile": Case(_plain("PUT", "/users/profile", {"display_name": "new"}), ANYBODY),
    "listNotifications": Case(_plain("GET", "/notifications"), ANYBODY),
    "markRead": Case(_plain("POST", "/notifications/read", {"through": 1}), ANYBODY),
    "markUnread": Case(_plain("POST", "/notifications/unread", {"positions": [1]}), ANYBODY),
    "listTeams": Case(_plain("GET", "/teams"), ANYBODY),
    "getTeam": Case(_team("GET"), ANYBODY),
    "createTeam": Case(_plain("POST", "/teams", {"name": "new"}), answering(MANAGERS, 201)),
    "editTeam": Case(_team("PATCH", "", {"name": "new"}), LEADS),
    "deleteTeam": Case(_delete_team, MANAGERS),
    "addTeamMember": Case(_add_member, LEADS),
    "removeTeamMember": Case(_remove_member, LEADS),
    "listProjects": Case(_plain("GET", "/projects"), ANYBODY),
    "getProject": Case(_project("GET"), IN_PROJECT, hides=True),
    "createProject": Case(_create_project, CREATE),
    "editProject": Case(_project("PATCH", "", {"name": "new"}), OF_LEADS, hides=True),
    "archiveProject": Case(_archive_project, OF_LEADS, hides=True),
    "restoreProject": Case(_restore_project, OF_LEADS, hides=True),
    "deleteProject": Case(_delete_project, OF_LEADS, hides=True),
    "addProjectMember": Case(_add_project_member, OF_LEADS, hides=True),
    "removeProjectMember": Case(_remove_project_member, OF_LEADS, hides=True),
    "chooseWorkflow": Case(_choose_workflow, OF_LEADS, hides=True),
    "listWorkflows": Case(_plain("GET", "/workflows"), ANYBODY),
    "getWorkflow": Case(_workflow("GET"), ANYBODY),
    "createWorkflow": Case(_plain("POST", "/workflows", REVIEWED), answering(MANAGERS, 201)),
    "changeWorkflow": Case(_workflow("PUT", "", REVIEWED), MANAGERS),
    "previewWorkflow": Case(_workflow("POST", "/preview", REVIEWED), MANAGERS),
    "issueSocketTicket": Case(_plain("POST", "/auth/ws-ticket"), ANYBODY),
    "listTokens": Case(_plain("GET", "/auth/tokens"), ANYBODY),
    "createToken": Case(_plain("POST", "/auth/tokens", {"name": "x", "scopes": ["read"]}), answering(ANYBODY, 201)),
    "revokeToken": Case(_delete_token, answering(ANYBODY, 204)),
    "listSessions": Case(_plain("GET", "/auth/sessions"), ANYBODY),
    "revokeSession": Case(_end_session, answering(ANYBODY, 204)),
    "revokeOtherSessions": Case(_plain("DELETE", "/auth/sessions"), answering(ANYBODY, 204)),
    "proveYourself": Case(_plain("POST", "/auth/proof", {"password": PASSWORD}), answering(ANYBODY, 204)),
    "getSecondFactor": Case(_plain("GET", "/auth/second-factor"), ANYBODY),
    "beginSecondFactor": Case(_plain("POST", "/auth/second-factor", {"password": PASSWORD}), answering(ANYBODY, 201)),
    "confirmSecondFactor": Case(_confirm_factor, ANYBODY),
    "renewRecoveryCodes": Case(_factor("recovery-codes"), ANYBODY),
    "removeSecondFactor": Case(_factor("remove"), answering(ANYBODY, 204)),
    "resetSecondFactor": Case(_reset_factor, ADMINS),
    "changePassword": Case(_plain("POST", "/auth/password", NEW_PASSWORD), answering(ANYBODY, 204)),
    "changeEmail": Case(_change_email, answering(ANYBODY, 202)),
    "deactivateUser": Case(_user("POST", "/deactivate"), ADMINS),
    "reactivateUser": Case(_user("POST", "/reactivate"), ADMINS),
    "listInvites": Case(_plain("GET", "/users/invites"), MANAGERS),
    "getInvite": Case(_invite("GET"), MANAGERS),
    "createInvite": Case(_create_invite, answering(MANAGERS, 201)),
    "withdrawInvite": Case(_invite("DELETE"), MANAGERS),
}
