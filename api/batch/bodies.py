"""The bodies of batches, as OpenAPI shows them."""

import re
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, WithJsonSchema

from api.batch.types import TYPES
from api.documents import Body, Position, Problem, whole
from domain.errors import Invalid

MOST = 500  # commands of a batch

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:\-]{1,64}$")]
_VERSION: Final = r'("[0-9]{1,10}"|[0-9]{1,10})'
_ETAGS: Final = rf"^(\*|{_VERSION}( *, *{_VERSION})*)$"
_VERSION_MAX: Final = 9_999_999_999


def _versions(value: object) -> int | str | None:
    """As one type: the pointer of a refusal would name each member of a union."""
    value = whole(value)
    is_number = type(value) is int and 0 <= value <= _VERSION_MAX
    if value is None or is_number or (isinstance(value, str) and re.fullmatch(_ETAGS, value)):
        return value  # type: ignore[return-value]
    raise ValueError('must be a version such as 3, or ETags such as "3", or *')


Versions = Annotated[
    int | str | None,
    PlainValidator(_versions),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _VERSION_MAX},
                {"type": "string", "pattern": _ETAGS},
                {"type": "null"},
            ]
        }
    ),
]


def _plain(target: str) -> str:
    if "\x00" in target:
        raise ValueError("must not contain U+0000")
    return target


class CommandBody(Body):
    """A command: what to do, to which thing, with which data."""

    id: Annotated[Name, Field(description="What this batch calls it; `$id` elsewhere stands for what it creates.")]
    type: Annotated[str, Field(max_length=64, json_schema_extra={"enum": sorted(TYPES)})]
    target: Annotated[
        Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)] | None,
        Field(description="The first parameter of the path of its own route: an id, or `$id` of an earlier command."),
    ] = None
    data: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict,
            description="The body of its own route, with the further parameters of its path and query.",
        ),
    ]
    if_match: Annotated[Versions, Field(description="As the header `If-Match`: a version, or ETags.")] = None


class BatchBody(Body):
    """Commands, in the order in which they are to be done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commands": [
                        {"id": "report", "type": "task.create", "data": {"title": "Write the report"}},
                        {"id": "begin", "type": "task.start", "target": "$report"},
                    ],
                    "atomic": True,
                }
            ]
        }
    )

    commands: Annotated[list[CommandBody], Field(min_length=1, max_length=MOST)]
    atomic: Annotated[bool, Field(description="All of them, or none.")] = False
    dry_run: Annotated[bool, Field(description="Only say what would be written.")] = False

    def check_ids(self) -> None:
        """Raises `Invalid` `batch.duplicate_id`: a reference must lead to one command."""
        seen: set[str] = set()
        for place, command in enumerate(self.commands):
            if command.id in seen:
                pointer, detail = f"/commands/{place}/id", "must be another one than those of the commands before"
                raise Invalid("batch.duplicate_id", pointer, detail, command.id)
            seen.add(command.id)


class EventDocument(BaseModel):
    """An event that would be written."""

    stream_id: UUID
    version: int
    type: str
    data: dict[str, Any]


class VerdictDocument(BaseModel):
    """What became of a command.

    `done`: `body` is what its own route answers. `refused`: `problem` says why. `not_done`: because of another command,
    which the problem names. `would_do`: `events` are those that would be written.
    """

    id: str
    outcome: Literal["done", "refused", "not_done", "would_do"]
    status: Annotated[int, Field(description="The HTTP status that its own route answers.")]
    stream_id: UUID | None = None
    version: Annotated[int | None, Field(description="Of the stream, after the command: its `ETag`.")] = None
    position: Position | None = None
    created: Annotated[UUID | None, Field(description="The id of what it created.")] = None
    location: str | None = None
    warning: str | None = None
    body: dict[str, Any] | None = None
    events: list[EventDocument] | None = None
    problem: Problem | None = None


class BatchDocument(BaseModel):
    """A verdict for each command, in their order, and how many there are of each outcome."""

    verdicts: list[VerdictDocument]
    done: int
    refused: int
    not_done: int
    would_do: int
    position: Annotated[Position, Field(description="That shows all of it, as in `Taskfold-Position`.")]
