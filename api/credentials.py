"""The bodies of requests and answers about what people log in with."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.documents import WHOLE, Body, Line
from api.scopes import Scope
from commands.personal_tokens import DAYS, DAYS_MAX, NAME_MAX


class NewTokenBody(Body):
    """What a personal access token is called, what it may be used for, and for how long."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "nightly report", "scopes": ["read"], "expires_in_days": 30}],
        }
    )

    name: Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
    scopes: Annotated[
        list[Annotated[Scope, Field(strict=False)]],
        Field(
            min_length=1,
            max_length=len(Scope),
            description="`read`: reads and sockets; `write`: commands on tasks, and your profile; `admin`: commands on"
            " members, roles, invites and teams. Your role bounds each of them.",
        ),
    ]
    expires_in_days: Annotated[int, Field(ge=1, le=DAYS_MAX), WHOLE] = DAYS


class TokenDocument(BaseModel):
    """A personal access token, without what is secret. `last_used_at` is right to some minutes."""

    id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class NewToken(TokenDocument):
    """A personal access token that was made just now. `token` is not shown again."""

    token: str


class TokenPage(BaseModel):
    """A page of personal access tokens; `next_cursor` is null on the last one."""

    items: list[TokenDocument]
    next_cursor: str | None


class SessionDocument(BaseModel):
    """Where one is logged in. `last_used_at` is the login or the last refresh; `network` is the address, cut short."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str | None
    network: str | None
    current: bool


class SessionPage(BaseModel):
    """A page of sessions; `next_cursor` is null on the last one."""

    items: list[SessionDocument]
    next_cursor: str | None
