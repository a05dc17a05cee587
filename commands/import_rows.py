"""What became of each line of a file that is imported: the rows of `job_lines`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.rows import class_row, namedtuple_row

from commands.event_store import Connection, Pool
from commands.jobs import Taken, delete_lines
from domain.errors import Rejection
from domain.job import LineVerdict

_COPY: Final = b"""
    COPY job_lines (workspace_id, job_id, root, line, task_id, verdict, work, problems) FROM STDIN
"""

BYTES_AT_ONCE: Final = 4_000_000  # of tasks that are read at once, and one

Problem = dict[str, Any]


class NewRow(NamedTuple):
    """A line as it was read."""

    line: int
    task_id: str | None
    verdict: LineVerdict
    work: str | None = None
    problems: str = "[]"


class Place(NamedTuple):
    """Where a task of the file belongs: in which tree, how deep, below which task, and what it is to others as JSON."""

    line: int
    root: int
    level: int
    parent_id: str | None
    links: str | None


class WorkRow(NamedTuple):
    """A task that is to be written."""

    line: int
    task_id: str
    parent_id: str | None
    work: str
    root: int
    level: int
    checklist: str | None

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it is in the order in which tasks are written."""
        return self.root, self.level, self.line


class JoinRow(NamedTuple):
    """A task that is there, and whose links and checklist are to be written."""

    line: int
    task_id: str
    checklist: str | None
    links: str | None


class Outcome(NamedTuple):
    """What became of a line."""

    line: int
    verdict: LineVerdict
    problems: Sequence[Problem] = ()


class Only(NamedTuple):
    """Which lines of a report: those of these verdicts, where there are any, and those with problems alone."""

    verdicts: list[str]
    problems: bool


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A line of the report."""

    line: int
    verdict: str
    task_id: str | None
    problems: list[Problem]


def problem_of(rejection: Rejection) -> Problem:
    """A refusal, as a report says it: its code, the place in the line, and what was expected."""
    errors = rejection.extra.get("errors") or [{}]
    more = {name: value for name, value in rejection.extra.items() if name != "errors"}
    told = {"code": rejection.code, "detail": rejection.detail, "pointer": errors[0].get("pointer")}
    return {**told, "value": errors[0].get("value"), **more}


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


class ImportRows:
    """The lines of one job."""

    def __init__(self, pool: Pool, taken: Taken) -> None:
        self._pool = pool
        self._of = {"workspace_id": taken.workspace_id, "job_id": taken.id}

    async def clear(self) -> None:
        """Begin anew."""
        async with self._pool.connection() as connection:
            await delete_lines(connection, self._of["workspace_id"], self._of["job_id"])

    async def add(self, rows: Sequence[NewRow]) -> None:
        """Lines that were read."""
        of = (self._of["workspace_id"], self._of["job_id"])
        async with (
            self._pool.connection() as connection,
            connection.cursor() as cursor,
            cursor.copy(_COPY) as copy,
        ):
            for row in rows:
                await copy.write_row((*of, row.line, *row))

    async def add_checklists(self, lists: Sequence[tuple[int, str]]) -> None:
        """What tasks of lines that were added have on their checklists, as JSON."""
        await self._run(
            """
            UPDATE job_lines l SET checklist = c.items, joins = true
            FROM unnest(%(lines)s::integer[], %(items)s::text[]) AS c(line, items)
            WHERE l.workspace_id = %(workspace_id)s AND l.job_id = %(job_id)s AND l.line = c.line
            """,
            lines=[line for line, _ in lists],
            items=[items for _, items in lists],
        )

    async def place(self, places: Sequence[Place]) -> None:
        """Say where tasks belong."""
        await self._run(
            """
            UPDATE job_lines l SET root = p.root, level = p.level, parent_id = p.parent_id, links = p.links,
                   joins = l.joins OR p.links IS NOT NULL
            FROM unnest(%(lines)s::integer[], %(roots)s::integer[], %(levels)s::smallint[], %(parents)s::uuid[],
                        %(links)s::text[]) AS p(line, root, level, parent_id, links)
            WHERE l.workspace_id = %(workspace_id)s AND l.job_id = %(job_id)s AND l.line = p.line
            """,
            lines=[place.line for place in places],
            roots=[place.root for place in places],
            levels=[place.level for place in places],
            parents=[place.parent_id for place in places],
            links=[place.links for place in places],
        )

    async def refuse(self, refusals: Mapping[int, Problem]) -> None:
        """These lines are wrong."""
        await self.settle([Outcome(line, LineVerdict.REFUSED, [told]) for line, told in refusals.items()])

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """What became of some lines."""
        await self._run(
            """
            UPDATE job_lines l SET verdict = o.verdict, problems = o.problems::json
            FROM unnest(%(lines)s::integer[], %(verdicts)s::text[], %(problems)s::text[]) AS o(line, verdict, problems)
            WHERE l.workspace_id = %(workspace_id)s AND l.job_id = %(job_id)s AND l.line = o.line
            """,
            lines=[outcome.line for outcome in outcomes],
            verdicts=[outcome.verdict.value for outcome in outcomes],
            problems=[_json(list(outcome.problems)) for outcome in outcomes],
        )

    async def joined(self, lines: Sequence[int], problems: Mapping[int, Sequence[Problem]]) -> None:
        """Nothing more is to be written of these; with what could not be."""
        await self._run(
            """
            UPDATE job_lines l SET joins = false,
                   problems = CASE WHEN j.problems IS NULL THEN l.problems ELSE j.problems::json END
            FROM unnest(%(lines)s::integer[], %(problems)s::text[]) AS j(line, problems)
            WHERE l.workspace_id = %(workspace_id)s AND l.job_id = %(job_id)s AND l.line = j.line
            """,
            lines=list(lines),
            problems=[_json(list(problems[line])) if line in problems else None for line in lines],
        )

    async def to_write(self, after: tuple[int, int, int], limit: int) -> list[WorkRow]:
        """The next tasks to be written past a place: tree by tree, parents before what is below them."""
        return await self._rows(
            """
            SELECT line, task_id::text, parent_id::text, work, root, level::integer, checklist
            FROM (SELECT *, sum(octet_length(work)) OVER (ORDER BY root, level, line) - octet_length(work) AS before
                  FROM (SELECT line, task_id, parent_id, work, root, level, checklist FROM job_lines
                        WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s AND verdict = 'valid'
                          AND (root, level, line) > (%(root)s, %(level)s::smallint, %(line)s)
                        ORDER BY root, level, line LIMIT %(limit)s) next) counted
            WHERE before < %(bytes)s ORDER BY root, level, line
            """,
            WorkRow,
            root=after[0],
            level=after[1],
            line=after[2],
            limit=limit,
            bytes=BYTES_AT_ONCE,
        )

    async def to_join(self, limit: int) -> list[JoinRow]:
        """Tasks that are there, and whose links and checklist are to be written."""
        return await self._rows(
            """
            SELECT line, task_id::text, checklist, links FROM job_lines
            WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s AND joins
              AND verdict IN ('created', 'present')
            ORDER BY line LIMIT %(limit)s
            """,
            JoinRow,
            limit=limit,
        )

    async def counts(self) -> dict[str, int]:
        """How many lines there are of each verdict, and how many that could not be written as a whole."""
        rows: list[Any] = await self._rows(
            """
            SELECT verdict, count(*) AS lines, count(*) FILTER (WHERE problems::text <> '[]') AS told FROM job_lines
            WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s GROUP BY verdict
            """,
            None,
        )
        found = {str(row.verdict): int(row.lines) for row in rows}
        partly = sum(int(row.told) for row in rows if row.verdict != LineVerdict.REFUSED)
        return {
            "lines": sum(found.values()),
            **{verdict.value: found.get(verdict, 0) for verdict in LineVerdict},
            "incomplete": partly,
        }

    async def to_come(self) -> tuple[int, int]:
        """How many tasks are to be written still, and how many lines there are that are not wrong."""
        [row] = await self._rows(
            """
            SELECT count(*) FILTER (WHERE verdict = 'valid') AS waiting, count(*) AS lines FROM job_lines
            WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s AND verdict <> 'refused'
            """,
            None,
        )
        return int(row.waiting), int(row.lines)

    async def made_by_this(self, task_ids: Sequence[str]) -> set[str]:
        """Which of these tasks this very job has made: the log says so, whatever the rows say."""
        rows = await self._rows(
            """
            SELECT stream_id::text AS task_id FROM events
            WHERE workspace_id = %(workspace_id)s AND stream_id = ANY (%(task_ids)s::uuid[]) AND version = 1
              AND meta->>'correlation_id' = %(job_id)s::text
            """,
            None,
            task_ids=list(task_ids),
        )
        return {row.task_id for row in rows}

    async def tell_apart(self) -> None:
        """Say of tasks that another import of the same owner made at the same time that they were present, not created.

        Where no other one ran meanwhile there is nothing to tell apart, and the log is not asked.
        """
        await self._run(
            """
            UPDATE job_lines l SET verdict = 'present'
            WHERE l.workspace_id = %(workspace_id)s AND l.job_id = %(job_id)s AND l.verdict = 'created'
              AND EXISTS (
                SELECT FROM jobs j JOIN jobs o ON o.workspace_id = j.workspace_id AND o.owner_id = j.owner_id
                WHERE j.workspace_id = %(workspace_id)s AND j.job_id = %(job_id)s AND o.job_id <> j.job_id
                  AND coalesce(o.finished_at, 'infinity') > j.created_at)
              AND NOT EXISTS (
                SELECT FROM events e
                WHERE e.workspace_id = l.workspace_id AND e.stream_id = l.task_id AND e.version = 1
                  AND e.meta->>'correlation_id' = l.job_id::text)
            """
        )

    async def _run(self, query: str, **values: Any) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(query.encode(), {**self._of, **values})

    async def _rows(self, query: str, kind: Any, **values: Any) -> list[Any]:
        factory: Any = namedtuple_row if kind is None else class_row(kind)
        async with self._pool.connection() as connection, connection.cursor(row_factory=factory) as cursor:
            await cursor.execute(query.encode(), {**self._of, **values})
            return list(await cursor.fetchall())


async def report(
    connection: Connection, workspace_id: str, job_id: str, only: Only, after: int, limit: int
) -> list[ReportLine]:
    """What became of the lines past one, in their order."""
    async with connection.cursor(row_factory=class_row(ReportLine)) as cursor:
        await cursor.execute(
            """
            SELECT line, verdict, task_id::text, problems FROM job_lines
            WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s AND line > %(after)s
              AND (%(verdicts)s::text[] = '{}' OR verdict = ANY (%(verdicts)s))
              AND (NOT %(problems)s OR problems::text <> '[]')
            ORDER BY line LIMIT %(limit)s
            """,
            {
                "workspace_id": workspace_id,
                "job_id": job_id,
                "after": after,
                **only._asdict(),
                "limit": limit,
            },
        )
        return await cursor.fetchall()
