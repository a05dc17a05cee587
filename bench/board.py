"""How long the server takes for a page of a board: lists, filters, facets, searches, by who looks at how many tasks.

What is measured is all that the read side does for an answer, from the text of the query to the rows, over one
connection, one after the other; not HTTP.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from time import perf_counter
from typing import Final

import uvloop

from api.database import make_pool
from bench import names
from bench.board_filling import Board, fill
from bench.measuring import Effort, Figure, Values
from bench.servers import Servers
from domain.instant import instant
from domain.policy import Eyes
from domain.query import parse
from domain.query_dates import day_of
from domain.query_fields import SORTABLE
from domain.query_words import begun
from domain.user import Role
from projections import cursors, facets, highlights, lexicon, queries, searching, task_list
from projections.database import Connection
from projections.queries import Reader
from projections.task_list import TaskQuery

SIZES: Final = (1_000, 10_000, 100_000)
QUICK_SIZES: Final = (1_000, 20_000)
ASKED: Final = 40  # of each kind
PAGE: Final = 50
BY: Final = ("status", "assignee", "tag", "project", "priority", "due")

Ask = Callable[[Connection, TaskQuery], Awaitable[object]]

# By what is asked: a few queries each. `{rare}` is a word that few tasks have, `{common}` one that many have.
LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "list, by any sort": ("", *(f"sort:{down}{name}" for name in SORTABLE for down in ("", "-"))),
    "list, by two sorts": ("sort:-priority,due", "sort:due,-priority", "sort:title,-created"),
    "filter, of many": ("status:done", "-status:done", "priority:normal", "tag:t0", "has:due", "project:none"),
    "filter, of few": (
        "status:stuck",
        "tag:rare",
        "priority:urgent is:overdue",
        "assignee:me",
        "key:P3-33",
        "due:today",
    ),
    "filter, of some": (
        *("is:open", "is:active sort:-priority", "is:overdue sort:due", "due<7d due>-7d", "updated>-3d sort:-updated"),
        *("created<-600d sort:title", "tag:t0 -tag:t1 priority>=high is:open sort:due", "estimate>=4h sort:-due"),
    ),
    "filter by words": (
        "{common}",
        "{rare}",
        '"{middle} {common}"',
        "{common} -{rare}",
        "{rare} or {middle} sort:title",
    ),
}
SEARCHES: Final = (
    "{common}",
    "{rare}",
    "{middle} {common}",
    "{common} is:open",
    "{prefix}*",
    "p3-33",
    "{common} tag:t0",
)
FACETS: Final = ("", "is:open", "tag:t0", "{common}", "priority:urgent", "is:overdue", "-status:done")
MISSPELT: Final = ("{misspelt}",)


def run(servers: Servers, effort: Effort) -> Values:
    """All sizes, one after the other."""
    values: Values = {}
    for size in QUICK_SIZES if effort.name.startswith("quick") else SIZES:
        board = fill(servers.database(f"board_{size}"), size)
        for figure, milliseconds in uvloop.run(_measured(board)).items():
            values[figure] = [milliseconds]
    return values


def readers(board: Board) -> dict[str, Eyes]:
    """Who looks: somebody who sees everything, a third of it, or a hundredth. Projects are the larger the earlier."""
    return {
        names.ADMIN: Eyes(Role.ADMIN, frozenset({board.people[0]})),
        names.THIRD: Eyes(Role.MEMBER, frozenset({board.people[1], *board.projects[1:12]})),
        names.HUNDREDTH: Eyes(Role.MEMBER, frozenset({board.people[2], board.projects[40]})),
    }


async def _measured(board: Board) -> dict[Figure, float]:
    figures: dict[Figure, float] = {}
    pool = make_pool(board.database.serving_url, 1)
    await pool.open(wait=True)
    try:
        async with pool.connection() as connection:
            words = await _words(connection, board)
            for who, eyes in readers(board).items():
                for what, ask, texts in kinds():
                    asked = [text.format(**words) for text in texts]
                    figures[names.board(what, who, board.tasks)] = await _p95(connection, board, eyes, ask, asked)
    finally:
        await pool.close()
    return figures


def kinds() -> list[tuple[str, Ask, tuple[str, ...]]]:
    """What is asked, and how."""
    lists = [(what, listed, texts) for what, texts in LISTS.items()]
    deep = [("list, far down", far_down, LISTS["list, by any sort"])]
    more = [("search", searched, SEARCHES), ("search, misspelt", misspelt, MISSPELT), ("facets", counted, FACETS)]
    return [*lists, *deep, *more]


async def _words(connection: Connection, board: Board) -> dict[str, str]:
    """Words by how many tasks have them."""
    cursor = await connection.execute(
        """
        SELECT word, ndoc FROM ts_stat(format('SELECT search FROM tasks WHERE workspace_id = %%L', %s::text))
        WHERE word ~ '^[a-p]{5,}$' ORDER BY ndoc DESC, word
        """,
        (board.database.workspace_id,),
    )
    found = [str(row[0]) for row in await cursor.fetchall()]
    common, middle, rare = found[0], found[len(found) // 20], found[-5]
    return {
        "common": common,
        "middle": middle,
        "rare": rare,
        "prefix": middle[:4],
        "misspelt": f"{rare[:2]}z{rare[2:]}",
    }


async def _p95(connection: Connection, board: Board, eyes: Eyes, ask: Ask, texts: list[str]) -> float:
    """Milliseconds: the worst of the queries counts as often as any other."""
    taken = []
    for n in range(max(ASKED, 3 * len(texts))):
        text = texts[n % len(texts)]
        begun_at = perf_counter()
        await ask(connection, await query_of(connection, board, eyes, text, words=ask is not listed))
        taken.append((perf_counter() - begun_at) * 1000)
    return quantiles(taken[len(texts) :], n=20)[-1]


async def query_of(connection: Connection, board: Board, eyes: Eyes, text: str, *, words: bool = False) -> TaskQuery:
    """What somebody asks for, as the API has it made."""
    parsed = begun(parse(text)) if words else parse(text)
    me = min(eyes.ids & set(board.people))
    asked = await queries.compile(connection, parsed, Reader(me, datetime.now(UTC)))
    sort = asked.sort or task_list.DEFAULT_SORT
    return TaskQuery(board.database.workspace_id, eyes, sort=sort, limit=PAGE, asked=asked)


async def listed(connection: Connection, query: TaskQuery) -> object:
    """A page of a list."""
    return await task_list.page(connection, query)


async def far_down(connection: Connection, query: TaskQuery) -> object:
    """A page from the middle of a list: its cursor stands at a task of the middle."""
    cursor = await connection.execute(
        task_list.statement(task_list.keys_of(query), task_list.present(query), limit="1").encode(),
        task_list.parameters_of(query),
    )
    row = await cursor.fetchone()
    if row is None or row[2] is None:
        return None
    cursor_text = cursors.encode(cursors.Cursor(list(query.sort), row[2], None))
    return await task_list.page(connection, replace(query, cursor=cursor_text))


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
