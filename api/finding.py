"""By what tasks are found: the filters, the words and the sorts of lists and searches."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.documents import Moment, Text
from api.reading import AS_OF, POSITION_MAX, PositionOrMoment
from domain.errors import Invalid
from domain.task_fields import Priority
from domain.workflow import Category
from projections.facets import FACETS
from projections.task_list import DEFAULT_SORT, SORTS


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain U+0000")
    return value


Word = Annotated[Text, StringConstraints(min_length=1, max_length=500), AfterValidator(_no_nul)]
_SORTABLE = "|".join(sorted({name.lstrip("-") for name in SORTS if name != "rank"}))
_FACETS = "|".join(FACETS)
Sort = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="A comma list of different ones, each with `-` for descending.",
        json_schema_extra={"pattern": rf"^-?({_SORTABLE})(,-?({_SORTABLE}))*$"},
    ),
]


class Narrowing(BaseModel):
    """What a list can be narrowed by. `status`, `category`, `priority` and `tag` may be given several times."""

    model_config = ConfigDict(extra="forbid")

    status: list[Word] = []
    category: list[Category] = []
    priority: list[Priority] = []
    assignee: UUID | Literal["me", "none"] | None = None
    created_by: UUID | Literal["me"] | None = None
    project_id: UUID | None = None
    key: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}$")] | None = None
    parent_id: UUID | None = None
    series_id: UUID | None = None
    tag: list[Word] = []
    due_before: Moment | None = None
    due_after: Moment | None = None
    start_before: Moment | None = None
    start_after: Moment | None = None
    overdue: Annotated[bool | None, Field(description="Open still, and past its due date.")] = None
    updated_after: Moment | None = None
    trashed: bool = False
    min_position: Annotated[int, Query(ge=0, le=POSITION_MAX)] | None = None
    as_of: Annotated[PositionOrMoment | None, AS_OF] = None


class Filters(Narrowing):
    """The same with pages."""

    limit: Annotated[int, Query(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=4_000)] | None = None


Asking = Annotated[
    Word,
    Field(
        description="A query: words, and filters such as `status:open due<7d tag:ops -assignee:me`; see queries.md.",
        examples=["status:open figures"],
    ),
]


class ListFilters(Filters):
    """Those of a list, with its query and its sort."""

    q: Asking | None = None
    sort: Sort | None = None


class SearchFilters(Filters):
    """Those of a search, with its query."""

    q: Asking


class FacetFilters(Narrowing):
    """Those of a list, without its pages, and what is counted of it, as a comma list."""

    q: Asking | None = None
    by: Annotated[
        str,
        Field(
            description="A comma list of different ones.",
            json_schema_extra={"pattern": rf"^({_FACETS})(,({_FACETS}))*$"},
            examples=["status,assignee,due"],
        ),
    ] = "status,assignee,tag,project,priority,due"


def facets_of(by: str) -> tuple[str, ...]:
    """The names of facets. Raises `Invalid` `facet.unknown`."""
    names = tuple(by.split(","))
    if not set(names) <= FACETS.keys() or len(set(names)) < len(names):
        raise Invalid(
            "facet.unknown", "/query/by", f"must be a comma list of different ones of {', '.join(FACETS)}", by
        )
    return names


_NO_FILTERS: Final = {"trashed", "min_position", "as_of"}


def values_of(filters: Narrowing, me: str) -> dict[str, Any]:
    """The filters that are given besides `q`, by their names in the read side's table."""
    given = filters.model_dump(exclude_defaults=True, include=set(Narrowing.model_fields) - _NO_FILTERS)
    if given.get("assignee") == "none":
        given = {**given, "unassigned": True}
        del given["assignee"]
    return {name: me if value == "me" else value for name, value in given.items()}


def sort_of(sort: str | None) -> tuple[str, ...]:
    """The names of a sort, those of lists where none is given. Raises `Invalid` `sort.unknown`."""
    names = DEFAULT_SORT if sort is None else tuple(sort.split(","))
    allowed = [name for name in SORTS if name != "rank"]
    if not set(names) <= set(allowed) or len({name.lstrip("-") for name in names}) < len(names):
        detail = f"must be a comma list of different ones of {', '.join(allowed)}"
        raise Invalid("sort.unknown", "/query/sort", detail, sort)
    return names
