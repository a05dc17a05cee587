"""The questions of a board as the read side answers them, and where the API does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from bench.board_filling import Board
from bench.board_questions import Question
from domain.instant import instant
from domain.policy import Eyes
from domain.query import parse
from domain.query_dates import day_of
from domain.query_words import begun
from projections import cursors, facets, highlights, lexicon, queries, searching, task_list, task_pages
from projections.database import Connection
from projections.queries import Reader
from projections.task_list import TaskQuery

PAGE: Final = 50
BY: Final = ("status", "assignee", "tag", "project", "priority", "due")
PLACES: Final = {"search": "/search", "misspelt": "/search", "facets": "/facets"}


async def query_of(
    connection: Connection, board: Board, eyes: Eyes, question: Question, *, words: bool = False
) -> TaskQuery:
    """What somebody asks for, as the API has it made. `words`: the last one may be only begun."""
    parsed = begun(parse(question.q)) if words else parse(question.q)
    me = next(person for person in board.people if person in eyes.ids)
    asked = await queries.compile(connection, parsed, Reader(me, datetime.now(UTC)))
    sort = tuple(question.sort.split(",")) if question.sort else asked.sort or task_list.DEFAULT_SORT
    return TaskQuery(board.database.workspace_id, eyes, sort=sort, trashed=question.trashed, limit=PAGE, asked=asked)


async def middle(connection: Connection, query: TaskQuery) -> str | None:
    """The cursor of a page from the middle of a list."""
    keys, conditions = task_list.keys_of(query), task_list.present(query)
    texts = ", ".join(f"({key.expression})::text" for key in keys)
    cursor = await connection.execute(
        f"""
        WITH rows AS MATERIALIZED (
            SELECT ARRAY[{texts}] AS keys, row_number() OVER (ORDER BY {task_list.order_of(keys)}) AS n
            FROM checkpoints c, tasks t
            WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live AND {" AND ".join(conditions)})
        SELECT keys FROM rows WHERE n = (SELECT count(*) / 2 FROM rows)
        """.encode(),
        task_list.parameters_of(query),
    )
    row = await cursor.fetchone()
    return None if row is None else cursors.encode(cursors.Cursor(list(query.sort), row[0], None))


def path_of(page: str, question: Question, cursor: str | None) -> str:
    """Where the API answers a question."""
    given = {
        "q": question.q,
        "sort": question.sort,
        "trashed": "true" if question.trashed else "",
        "cursor": cursor or "",
        "by": ",".join(BY) if page == "facets" else "",
        "limit": "" if page == "facets" else str(PAGE),
    }
    return f"/api/v1/tasks{PLACES.get(page, '')}?{urlencode({name: text for name, text in given.items() if text})}"


async def listed(connection: Connection, query: TaskQuery) -> object:
    """A page of a list."""
    return await task_pages.page(connection, query)


async def searched(connection: Connection, query: TaskQuery) -> object:
    """A page of a search, with its highlights."""
    found = await searching.search(connection, query)
    pattern = highlights.pattern_of(query.asked.found)
    if pattern is None:
        return found
    ids = [document[7:43] for document in found.page.documents]
    return await highlights.of_comments(connection, query.workspace_id, ids, query.asked.found, pattern)


async def misspelt(connection: Connection, query: TaskQuery) -> object:
    """A search that finds nothing, what may have been meant, and the search for that."""
    await searching.search(connection, query)
    word = query.asked.found.strip("':*")
    meant = await lexicon.meant(connection, query.workspace_id, [word])
    if not meant:
        raise RuntimeError(f"nobody knows what {word!r} means")
    parsed = parse(" or ".join(meant[word]))
    asked = await queries.compile(connection, parsed, Reader(query.workspace_id, datetime.now(UTC)))
    return await searched(connection, replace(query, asked=asked))


async def counted(connection: Connection, query: TaskQuery) -> object:
    """The counts of all facets."""
    now = datetime.now(UTC)
    tomorrow = day_of(now).end
    moments = {"now": now, "tomorrow": tomorrow, "week": tomorrow + timedelta(days=6)}
    told = {name: instant(moment) for name, moment in moments.items()}
    return await facets.count(connection, query, BY, told, {})


ASKING: Final[Mapping[str, Callable[[Connection, TaskQuery], Awaitable[object]]]] = {
    "list": listed,
    "far": listed,
    "search": searched,
    "misspelt": misspelt,
    "facets": counted,
}
