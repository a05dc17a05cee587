"""Finding tasks: the search, and the counts that narrow a list."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.finding import FacetFilters, SearchFilters, facets_of
from api.found import FacetsDocument, SearchPage
from api.listing import searched
from api.policies import guarded
from api.questions import Question, ask, parsed
from api.reading import Read, Reading
from domain.errors import Invalid
from domain.instant import instant
from domain.policy import Action
from domain.query_dates import days_after
from projections import facets, tasks

reads = APIRouter(prefix="/tasks", tags=["tasks"])


@reads.get("/search", operation_id="searchTasks", summary="Search tasks", response_model=SearchPage)
@guarded(Action.TASK_READ)
async def search_tasks(request: Request, read: Read, filters: Annotated[SearchFilters, Query()]) -> Response:
    """Full text over title, key, tags, description and comments, best match first; in the past not over comments.

    The last word stands for all that begin so. Where nothing matches, words are looked for that are spelt nearly so,
    and `fuzzy` and `corrected` say it. `cut`: there is more than can be looked at.
    """
    return await searched(request, read, filters, parsed(filters.q))


@reads.get("/facets", operation_id="countTasks", summary="Count tasks by what they have", response_model=FacetsDocument)
@guarded(Action.TASK_READ)
async def count_tasks(read: Read, filters: Annotated[FacetFilters, Query()]) -> Response:
    """How many of the tasks that a list with these filters shows have each status, assignee, tag …

    Of more than 5,000 tasks 5,000 are counted, and `cut` says so.
    """
    if filters.as_of is not None:
        detail = "tasks are counted as they are now; leave it out"
        raise Invalid("query.not_in_past", "/query/as_of", detail, str(filters.as_of))
    question = await ask(read, filters, parsed(filters.q))
    return await _counted(read, question, facets_of(filters.by))


async def _counted(read: Reading, question: Question, by: tuple[str, ...]) -> Response:
    now, zone = datetime.now(UTC), "UTC"
    if "due" in by:
        zone = await read.services.accounts.time_zone(read.workspace_id, read.user.id)
    moments = {"now": now, "tomorrow": days_after(now, 0, zone), "week": days_after(now, 6, zone)}
    aside = {} if question.book is None else question.book.aside
    told = {name: instant(moment) for name, moment in moments.items()}
    async with read.of(tasks.NAME) as connection:
        counted = await facets.count(connection, question.list, by, told, aside)
    counts = {name: [count._asdict() for count in found] for name, found in counted.facets.items()}
    body = msgspec.json.encode({"facets": counts, "total": counted.total, "cut": counted.cut})
    return read.answer(body, counted.position)
