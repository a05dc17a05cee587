"""What an installation says of itself, as OpenAPI shows it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class FailingDocument(BaseModel):
    """Where a projection stands still, and of the error its kind."""

    workspace: UUID
    failed_at: int
    error: str


class ProjectionDocument(BaseModel):
    """How far a projection is behind: in positions, and the workspaces in which it is, or in which it fails."""

    name: str
    lag: Annotated[int, Field(ge=0)]
    behind: Annotated[int, Field(ge=0)]
    failing: Annotated[int, Field(ge=0)]
    first_failing: list[FailingDocument]


class ServerDocument(BaseModel):
    """A server behind this process."""

    status: Literal["ok", "away"]
    error: str = ""


class DatabaseDocument(ServerDocument):
    """PostgreSQL."""

    projections: list[ProjectionDocument] = []


class Ready(BaseModel):
    """Whether work can be done."""

    status: Literal["ready", "not ready"]
    database: DatabaseDocument
    redis: ServerDocument


class Running(BaseModel):
    """What runs, and on which logs."""

    version: str
    epoch: str


class KeyDocument(BaseModel):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[KeyDocument]
