"""How long the server takes for a page of a board: lists, filters, facets, searches, by who looks at how many tasks.

Each question is asked twice, by one caller who waits for the answer: of the read side itself, from the text of the
query to the rows, over one connection to the database; and of an API process over HTTP.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import quantiles
from time import perf_counter
from typing import Final, NamedTuple

import uvloop

from api.database import make_pool
from bench import board_http, names
from bench.board_asking import ASKING, middle, path_of, query_of
from bench.board_filling import Board, fill
from bench.board_http import Caller
from bench.board_questions import KINDS, Kind, Question
from bench.measuring import Effort, Figure, Values
from bench.servers import Servers
from domain.policy import Eyes
from domain.user import Role
from projections.database import Connection

SIZES: Final = (1_000, 10_000, 100_000)
QUICK_SIZES: Final = (1_000, 20_000)
ASKED: Final = 40  # of each kind


class Reader(NamedTuple):
    """Who looks: what they see, and their token."""

    eyes: Eyes
    token: str


class Place(NamedTuple):
    """Where it is asked."""

    board: Board
    connection: Connection
    caller: Caller


def run(servers: Servers, effort: Effort) -> Values:
    """All sizes, one after the other."""
    values: Values = {}
    for size in QUICK_SIZES if effort.name.startswith("quick") else SIZES:
        board = fill(servers, servers.database(f"board_{size}"), size)
        with board_http.served(servers, board) as port:
            for figure, milliseconds in uvloop.run(_measured(board, port)).items():
                values[figure] = [milliseconds]
    return values | _growth(values)


def _growth(values: Values) -> Values:
    """How much more the lists of the largest board cost than those of the smallest."""
    growth: Values = {}
    for who in names.BOARD_READERS:
        for what in names.BOARD_LISTS:
            least, most = (values.get(names.board(what, who, size)) for size in (SIZES[0], SIZES[-1]))
            if least and most:
                growth[names.board_growth(what, who)] = [most[0] / least[0]]
    return growth


def eyes_of(board: Board) -> dict[str, Eyes]:
    """What people see: everything, a third of it, or a hundredth. Projects are the larger the earlier."""
    return {
        names.ADMIN: Eyes(Role.ADMIN, frozenset({board.people[0]})),
        names.THIRD: Eyes(Role.MEMBER, frozenset({board.people[1], *board.projects[1:12]})),
        names.HUNDREDTH: Eyes(Role.MEMBER, frozenset({board.people[2], board.projects[40]})),
    }


async def _measured(board: Board, port: int) -> dict[Figure, float]:
    figures: dict[Figure, float] = {}
    await board_http.let_in(board, board.people[:3])
    pool = make_pool(board.database.serving_url, 1)
    await pool.open(wait=True)
    try:
        async with pool.connection() as connection, Caller.connected(port) as caller:
            place = Place(board, connection, caller)
            words = await _words(connection, board)
            for person, (who, eyes) in zip(board.people, eyes_of(board).items(), strict=False):
                reader = Reader(eyes, await caller.log_in(person))
                for kind in KINDS:
                    own, over_http = await _p95(place, reader, kind, words)
                    figures[names.board(kind.name, who, board.tasks)] = own
                    figures[names.board(kind.name, who, board.tasks, names.OVER_HTTP)] = over_http
    finally:
        await pool.close()
    return figures


async def _words(connection: Connection, board: Board) -> Mapping[str, str]:
    """Words by how many tasks have them."""
    cursor = await connection.execute(
        """
        SELECT word, ndoc FROM ts_stat(format('SELECT search FROM tasks WHERE workspace_id = %%L', %s::text))
        WHERE word ~ '^[a-p]{5,}$' ORDER BY ndoc DESC, word
        """,
        (board.database.workspace_id,),
    )
    found = [str(row[0]) for row in await cursor.fetchall()]
    common, common2, middling, rare = found[0], found[1], found[len(found) // 20], found[-5]
    return {
        "common": common,
        "common2": common2,
        "middle": middling,
        "rare": rare,
        "prefix": middling[:4],
        "misspelt": f"{rare[:2]}z{rare[2:]}",
    }


async def _p95(place: Place, reader: Reader, kind: Kind, words: Mapping[str, str]) -> tuple[float, float]:
    """Milliseconds, of the read side and over HTTP: the worst of the questions counts as often as any other."""
    questions = [question._replace(q=question.q.format(**words)) for question in kind.questions]
    cursors = [await _cursor(place, reader, kind, question) for question in questions]
    taken: list[tuple[float, float]] = []
    for n in range(max(ASKED, 3 * len(questions))):
        question, cursor = questions[n % len(questions)], cursors[n % len(questions)]
        own = await _own(place, reader, kind, question, cursor)
        over_http = await place.caller.milliseconds(path_of(kind.page, question, cursor), reader.token)
        taken.append((own, over_http))
    counted = taken[len(questions) :]
    return quantiles([own for own, _ in counted], n=20)[-1], quantiles([http for _, http in counted], n=20)[-1]


async def _cursor(place: Place, reader: Reader, kind: Kind, question: Question) -> str | None:
    if kind.page != "far":
        return None
    return await middle(place.connection, await query_of(place.connection, place.board, reader.eyes, question))


async def _own(place: Place, reader: Reader, kind: Kind, question: Question, cursor: str | None) -> float:
    words = kind.page not in ("list", "far")
    began = perf_counter()
    query = await query_of(place.connection, place.board, reader.eyes, question, words=words)
    await ASKING[kind.page](place.connection, replace(query, cursor=cursor))
    return (perf_counter() - began) * 1000
