"""Pages of tasks as answers: of the present, of the past, and of a search."""

from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
from fastapi import Request
from starlette.responses import Response

from api.finding import SearchFilters
from api.questions import Question, ask
from api.reading import Reading, next_link, page
from api.tagging import respelled
from domain.query import Query
from domain.query_words import asks_for_words, begun, meaning, plain
from projections import highlights, lexicon, past, searching, tasks
from projections.task_list import DEFAULT_SORT, RANK_SORT, Page, TaskQuery
from projections.task_pages import page as read_page


class Found(NamedTuple):
    """A page, how far the projection had read that it shows, and whether more matched than could be ranked."""

    page: Page
    reached: int
    cut: bool = False


async def listed(request: Request, read: Reading, question: Question) -> Response:
    """A page of tasks."""
    found = await _listed(read, question.list)
    headers = next_link(request, found.page.next_cursor)
    body = page(respelled(question.book, found.page.documents), found.page.next_cursor)
    return read.answer(body, found.page.position, headers=headers, reached=found.reached)


async def _listed(read: Reading, query: TaskQuery) -> Found:
    if query.as_of is None:
        async with read.of(tasks.NAME) as connection:
            shown = await read_page(connection, query)
        return Found(shown, shown.position)
    await read.services.positions.reach(read.workspace_id, tasks.NAME, query.as_of.position, asked="as_of")
    async with read.services.archive, read.of(tasks.NAME) as connection:
        return Found(*await past.page(connection, query))


async def searched(request: Request, read: Reading, filters: SearchFilters, query: Query) -> Response:
    """A page of what was found, best first, with highlights; of what may have been meant where nothing matches."""
    query = begun(query)
    question, found = await _found(read, filters, query)
    meant: dict[str, list[str]] = {}
    if not found.page.documents and question.list.as_of is None and asks_for_words(query):
        meant = await _meant(read, question, query)
        if meant:
            question, found = await _found(read, filters, meaning(query, meant))
    items = await _highlighted(read, question, found.page.documents)
    corrected = _corrected(items, meant)
    told = {"next_cursor": found.page.next_cursor, "cut": found.cut, "fuzzy": bool(corrected), "corrected": corrected}
    headers = next_link(request, found.page.next_cursor)
    body = msgspec.json.encode({"items": items, **told})
    return read.answer(body, found.page.position, headers=headers, reached=found.reached)


async def _found(read: Reading, filters: SearchFilters, query: Query) -> tuple[Question, Found]:
    question = await ask(read, filters, query, default=RANK_SORT if asks_for_words(query) else DEFAULT_SORT)
    return question, await _searched(read, question.list)


async def _searched(read: Reading, query: TaskQuery) -> Found:
    if tuple(query.sort) != RANK_SORT or query.as_of is not None:
        return await _listed(read, query)
    async with read.of(tasks.NAME) as connection:
        ranked = await searching.search(connection, query)
    return Found(ranked.page, ranked.page.position, ranked.cut)


async def _meant(read: Reading, question: Question, query: Query) -> dict[str, list[str]]:
    """What words may have meant that find nothing, on any page."""
    if question.list.cursor is not None:
        first = await _searched(read, replace(question.list, cursor=None, limit=1))
        if first.page.documents:
            return {}
    async with read.of(tasks.NAME) as connection:
        return await lexicon.meant(connection, read.workspace_id, plain(query))


def _corrected(items: list[dict[str, Any]], meant: dict[str, list[str]]) -> dict[str, list[str]]:
    """Of what may have been meant that which is there to be seen: the words are those of the whole workspace."""
    seen = {each.text[begin:end].lower() for item in items for each in item["highlights"] for begin, end in each.marks}
    found = {word: [other for other in others if other in seen] for word, others in meant.items()}
    return {word: others for word, others in found.items() if others}


async def _highlighted(read: Reading, question: Question, documents: list[str]) -> list[dict[str, Any]]:
    items = [msgspec.json.decode(document) for document in respelled(question.book, documents)]
    asked = question.list.asked
    pattern = highlights.pattern_of(asked.found)
    if pattern is None or not items:
        return [{**item, "highlights": []} for item in items]
    said: dict[str, list[highlights.Highlight]] = {}
    if question.list.as_of is None:
        async with read.of(tasks.NAME) as connection:
            ids = [item["id"] for item in items]
            said = await highlights.of_comments(connection, read.workspace_id, ids, asked.found, pattern)
    return [{**item, "highlights": [*highlights.of_task(item, pattern), *said.get(item["id"], ())]} for item in items]
