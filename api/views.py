"""Saved views: their bodies and documents."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.documents import Body, Line, Text
from domain.query import QUERY_MAX
from domain.view import NAME_MAX, Sharing

ViewName = Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
ViewQuery = Annotated[
    Text,
    StringConstraints(max_length=QUERY_MAX),
    Field(description="As `q` of a list; `me` in it is whoever looks. It is checked when it is saved."),
]


class NewView(Body):
    """A query to be kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Mine, soon", "query": "assignee:me is:open due<7d sort:due"}]}
    )

    name: ViewName
    query: ViewQuery
    sharing: Sharing = Sharing.PRIVATE
    team_id: UUID | None = Field(default=None, description="With whom, where `sharing` is `team`.")


class ViewPatch(Body):
    """A merge patch (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sharing": "workspace"}]})

    name: ViewName = ""
    query: ViewQuery = ""
    sharing: Sharing | None = None
    team_id: UUID | None = None


class ViewDocument(BaseModel):
    """A saved view."""

    id: UUID
    version: int
    position: int
    name: str
    query: str
    sharing: Sharing
    team_id: UUID | None
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class ViewPage(BaseModel):
    """A page of views; `next_cursor` is null on the last one."""

    items: list[ViewDocument]
    next_cursor: str | None
