"""The API with some of its guards taken out, to see what they cost: anybody may do anything. For measuring only."""

import os
from collections.abc import Callable
from typing import Any, Final

import click
import uvicorn

from api import settings
from api.app import create_app
from api.cli.serve import uvicorn_options
from api.defence.rates import Rates
from api.recognition import Recognition
from api.routes import tasks
from api.services import Services
from api.tokens import Identity, Tokens
from commands import deciding
from commands.deciding import Context
from domain.policy import Relation
from domain.user import Role, User


def without_memory_of_tokens(_identity: Identity, _user: User) -> None:
    """Each request's token is verified as if it came for the first time."""
    _replace(Tokens, "remember", lambda *_: None)


def without_authentication(identity: Identity, _user: User) -> None:
    """Nobody looks at the token: it is always the same one who asks."""

    async def authenticate(*_: object) -> Identity:
        return identity

    _replace(Services, "authenticate", authenticate)
    _replace(Recognition, "look_up", authenticate)


def without_authorisation(_identity: Identity, user: User) -> None:
    """Nobody looks up the role of who asks, or asks the table; the actor's stream is no part of a decision."""

    async def member(*_: object) -> User:
        return user

    _replace(Services, "member", member)
    _replace(Context, "actor", lambda _: user)
    _replace(deciding, "may", lambda *_: True)
    _replace(deciding, "to_task", lambda *_: Relation.UNRELATED)
    _replace(tasks, "_visible", lambda *_: True)


def without_limits(_identity: Identity, _user: User) -> None:
    """Nobody counts requests."""
    _replace(Rates, "admit", lambda *_: b'"token";r=1;t=1')
    _replace(Rates, "learn", lambda *_: None)


STRIPS: Final[dict[str, Callable[[Identity, User], None]]] = {
    "memory": without_memory_of_tokens,
    "authentication": without_authentication,
    "authorisation": without_authorisation,
    "limits": without_limits,
}


def _replace(owner: Any, name: str, value: object) -> None:
    """Put something else in a place that exists: a name that has moved must not leave its guard standing."""
    getattr(owner, name)
    setattr(owner, name, value)


@click.command()
@click.option("--port", required=True, type=int)
@click.option("--without", "parts", multiple=True, type=click.Choice(list(STRIPS)))
@click.option("--user", "user_id", required=True, help="Whoever asks is this one.")
@click.option("--workspace", "workspace_id", required=True)
def main(port: int, parts: tuple[str, ...], user_id: str, workspace_id: str) -> None:
    """Serve it as `taskfold serve` does."""
    identity = Identity(user_id, workspace_id, "", float("inf"))
    now = "2026-01-01T00:00:00.000000Z"
    user = User(
        id=user_id,
        version=1,
        position=1,
        role=Role.MEMBER,
        active=True,
        teams={},
        projects={},
        joined_at=now,
        updated_at=now,
    )
    for part in parts:
        STRIPS[part](identity, user)
    uvicorn.run(create_app(settings.load(os.environ)), **uvicorn_options("127.0.0.1", port, 1))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
