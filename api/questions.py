"""From what a request asks for to a list of the read side: filters, the query `q`, the sort, the reader, the moment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from api.finding import Filters, Narrowing, sort_of, values_of
from api.reading import Reading
from api.services import ROLE_AGE_SECONDS, Services
from api.tagging import book_of, spellings
from api.tagging import filters as tag_filters
from domain import query as language
from domain.policy import eyes
from domain.query import Query
from domain.query_fields import Kind
from domain.tagbook import Tagbook
from domain.text import check_text
from projections import past, queries
from projections.cursors import AsOf
from projections.queries import Asked, Reader
from projections.task_list import DEFAULT_SORT, TaskQuery


class Question(NamedTuple):
    """A list that is asked for, and the tags of today, None where the past is shown with those of then."""

    list: TaskQuery
    book: Tagbook | None
    parsed: Query


def parsed(q: str | None, pointer: str = "/query/q") -> Query:
    """What a query means. Raises `Invalid` `query.invalid`."""
    return Query() if q is None else language.parse(check_text(q, pointer, most=language.QUERY_MAX), pointer)


async def ask(
    read: Reading,
    filters: Narrowing,
    query: Query,
    sort: str | None = None,
    default: Sequence[str] = DEFAULT_SORT,
) -> Question:
    """The list of this reader. A `sort` of the request goes before that of the query.

    Raises `Invalid` `sort.unknown`, `query.not_in_past`, `as_of.future`, `cursor.invalid`.
    """
    as_of = await read.as_of(filters.as_of, filters.cursor if isinstance(filters, Filters) else None)
    values = values_of(filters, read.user.id)
    fresh = bool(filters.tag) or any(term.field.name == "tag" for term in query.filters)
    book = None if as_of is not None else await book_of(read, 0 if fresh else ROLE_AGE_SECONDS)
    if filters.tag and as_of is None:
        del values["tag"]
        values |= tag_filters(book, filters.tag)
    asked = await meaning(read, query, book, as_of)
    await reach(read, asked)
    chosen = sort_of(sort) if sort is not None else (asked.sort or tuple(default))
    found = TaskQuery(
        workspace_id=read.workspace_id,
        eyes=eyes(read.user),
        filters=values,
        sort=chosen,
        trashed=filters.trashed,
        as_of=as_of,
        asked=asked,
    )
    if isinstance(filters, Filters):
        found = replace(found, limit=filters.limit, cursor=filters.cursor)
    return Question(found, book, query)


async def meaning(read: Reading, query: Query, book: Tagbook | None, as_of: AsOf | None = None) -> Asked:
    """What a query means to this reader, now or at a moment of the past."""
    if not query.filters and not query.words:
        return Asked(sort=query.sort)
    now = datetime.now(UTC)
    zone = await zone_of(read.services, read.workspace_id, read.user.id, query)
    async with read.services.pool.connection() as connection:
        if as_of is not None and any(term.field.kind in (Kind.WHEN, Kind.STATE) for term in query.filters):
            now = await past.moment_at(connection, read.workspace_id, as_of.position) or now
        reader = Reader(read.user.id, now, spellings(book), past=as_of is not None, zone=zone)
        return await queries.compile(connection, query, reader)


async def zone_of(services: Services, workspace_id: str, user_id: str, query: Query) -> str:
    """The time zone of a reader's days, as their profile says it, where a query asks for moments."""
    if not any(term.field.kind is Kind.WHEN for term in query.filters):
        return "UTC"
    return await services.accounts.time_zone(workspace_id, user_id)


async def reach(read: Reading, asked: Asked) -> None:
    """Wait until what is looked at besides the tasks has reached the position that the reader asks for."""
    if read.min_position is not None:
        for projection in asked.projections:
            await read.services.positions.reach(read.workspace_id, projection, read.min_position)
