"""Everybody who may ask."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from time import time
from typing import Any, Final

import httpx
import jwt

from api.signing_keys import ALGORITHM
from tests.house import Client, House

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
        await done(admin.post(f"{path}/assign", assignee))
        for move in moves:
            await done(admin.call("DELETE", path) if move == "delete" else admin.post(f"{path}/{move}"))
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
    await done(admin.call("PUT", f"/teams/{team}/members/{clients['lead'].id}", {"role": "lead"}))
    await done(admin.call("DELETE", f"/teams/{team}/members/{clients['former'].id}"))
    revoked = clients["revoked"]
    await done(house.http.post("/auth/logout", json={"refresh_token": revoked.tokens["refresh_token"]}))
    clients["expired"] = with_token(clients["expired"], _expired(house, clients["expired"]))
    clients["anonymous"] = with_token(clients["unrelated"], "")
    return Cast(house, clients, team, await new_project(admin, clients))


def new_key() -> str:
    return f"K{next(_keys)}"


async def new_project(admin: Client, clients: Mapping[str, Client]) -> str:
    """A project in which the lead leads, the teammate edits and the assignee looks; `former` has left it."""
    made = await admin.post("/projects", {"name": "matrix", "key": new_key()})
    path = f"/projects/{made.json()['id']}/members"
    for persona, role in (("lead", "lead"), ("teammate", "editor"), ("assignee", "viewer"), ("former", "lead")):
        await done(admin.call("PUT", f"{path}/{clients[persona].id}", {"role": role}))
    for gone in (clients["former"], admin):
        await done(admin.call("DELETE", f"{path}/{gone.id}"))
    return str(made.json()["id"])


async def done(response: Awaitable[httpx.Response]) -> None:
    answered = await response
    assert answered.is_success, answered.text


def with_token(client: Client, token: str) -> Client:
    return replace(client, tokens=client.tokens | {"access_token": token})


def _expired(house: House, client: Client) -> str:
    """The client's own token, as if it had been signed long ago."""
    token = str(client.tokens["access_token"])
    claims = jwt.decode(token, options={"verify_signature": False})
    then = int(time()) - 10_000
    claims |= {"iat": then, "exp": then + 900}
    key = house.services.keys.signing
    return jwt.encode(claims, key.private, ALGORITHM, headers={"typ": "at+jwt", "kid": key.kid})
