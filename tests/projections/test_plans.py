"""Pages of lists, searches and counts are read by indexes, whoever looks, and their cost grows with the page."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commands.ids import new_id
from domain.policy import Eyes
from domain.query import parse
from domain.user import Role
from projections import cursors, facets, queries, searching, task_list, task_pages
from projections.cursors import Cursor
from projections.queries import Reader
from projections.task_list import TaskQuery
from tests.commands.desk import Connection

TASKS = 12_000
EDITOR, PROJECT = new_id(), new_id()

# One task in a thousand is rare in every way; dates, titles and priorities are all over the place.
FILL = (
    """
    INSERT INTO tasks (workspace_id, build, task_id, version, position, title, description, status, category, priority,
                       due_at, start_at, assignee_type, assignee_id, project_id, key, subtasks, links, tags,
                       created_by, created_at, updated_at)
    SELECT %(workspace)s, 1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, n,
           md5(n::text) || CASE WHEN n %% 1000 = 7 THEN ' walrus' ELSE ' report' END, '',
           CASE WHEN n %% 1000 = 7 THEN 'stuck' ELSE 'done' END, CASE WHEN n %% 1000 = 7 THEN 'active' ELSE 'done' END,
           (n * 7919) %% 4, CASE WHEN n %% 5 < 4 THEN now() + (n * 7919 %% 1000) * interval '1 hour' END,
           CASE WHEN n %% 10 = 3 THEN now() - (n * 7919 %% 1000) * interval '1 hour' END, 'user',
           CASE WHEN n %% 1000 = 7 THEN %(editor)s::uuid ELSE gen_random_uuid() END,
           CASE WHEN n %% 100 = 3 THEN %(project)s::uuid END, CASE WHEN n %% 100 = 3 THEN 'APP-' || n END, '[]', '[]',
           CASE WHEN n %% 1000 = 7 THEN ARRAY['rare', 'ops'] ELSE ARRAY['ops'] END, gen_random_uuid(),
           now() - n * interval '1 minute', now() - (n * 7919 %% 12000) * interval '1 second'
    FROM generate_series(1, %(tasks)s) n
    """,
    """
    INSERT INTO comments (workspace_id, build, comment_id, version, position, task_id, body, mentions, created_by,
                          created_at, updated_at)
    SELECT workspace_id, build, gen_random_uuid(), 1, position, task_id, 'said ' || title, '{}', created_by,
           created_at, updated_at
    FROM tasks WHERE workspace_id = %(workspace)s
    """,
    """
    INSERT INTO checkpoints (workspace_id, projection, build, state, position)
    SELECT %(workspace)s, name, 1, 'live', %(tasks)s FROM unnest(ARRAY['tasks', 'comments', 'projects']) name
    """,
)


@pytest.fixture
async def board(owner: Connection) -> str:
    """A workspace with many tasks, and a comment to each; and what the planner knows of them."""
    workspace = new_id()
    await owner.execute("INSERT INTO workspaces (workspace_id, slug) VALUES (%s, 'board')", (workspace,))
    values = {"workspace": workspace, "tasks": TASKS, "editor": EDITOR, "project": PROJECT}
    for statement in FILL:
        await owner.execute(statement.encode(), {k: v for k, v in values.items() if f"({k})" in statement})
    await owner.execute("ANALYZE tasks")
    await owner.execute("ANALYZE comments")
    return workspace


READERS = {
    "who sees all": Eyes(Role.ADMIN, frozenset({new_id()})),
    "who sees 1 %": Eyes(Role.MEMBER, frozenset({EDITOR, PROJECT})),
}


async def _query(owner: Connection, board: str, text: str, eyes: Eyes) -> TaskQuery:
    asked = await queries.compile(owner, parse(text), Reader(EDITOR, datetime.now(UTC)))
    return TaskQuery(board, eyes, sort=asked.sort or task_list.DEFAULT_SORT, asked=asked)


def _list(query: TaskQuery) -> str:
    return task_pages.statement(query)


async def _plan(owner: Connection, query: TaskQuery, statement: str, analyze: str = "") -> str:
    times = dict.fromkeys(("now", "tomorrow", "week"), "2026-01-01T00:00:00Z")
    parameters = {**task_list.parameters_of(query), **times, "aside": "{}"}
    cursor = await owner.execute(f"EXPLAIN {analyze} {statement}".encode(), parameters, prepare=False)
    return "\n".join(row[0] for row in await cursor.fetchall())


async def test_every_sort_reads_its_own_index_no_further_than_the_page(owner: Connection, board: str) -> None:
    for sort, index in (
        ("created", "tasks_created"), ("-created", "tasks_created"), ("updated", "tasks_updated"),
        ("-updated", "tasks_updated"), ("title", "tasks_title"), ("-title", "tasks_title"),
        ("priority", "tasks_priority"), ("-priority", "tasks_priority"), ("due", "tasks_due"),
        ("-due", "tasks_due_last"),
    ):  # fmt: skip
        query = await _query(owner, board, f"sort:{sort}", READERS["who sees all"])
        plan = await _plan(owner, query, _list(query), "(ANALYZE, COSTS OFF, TIMING OFF)")
        assert re.search(rf"using {index} on tasks t \(actual rows=51\.?", plan), (sort, plan)
        assert "Sort Key: t." not in plan, (sort, plan)


async def test_a_page_far_down_begins_at_its_cursor(owner: Connection, board: str) -> None:
    for sort in ("sort:title", "sort:-priority", "sort:due", "sort:-updated", "sort:-created"):
        query = await _query(owner, board, sort, READERS["who sees all"])
        keys = task_list.keys_of(query)
        cursor = await owner.execute(
            task_list.statement(keys, task_list.present(query), limit="6000").encode(), task_list.parameters_of(query)
        )
        place = (await cursor.fetchall())[-1][2]
        conditions = [*task_list.present(query), task_list.beyond(keys)]
        statement = task_list.statement(keys, conditions, limit="51")
        parameters = {**task_list.parameters_of(query), **{f"key{n}": value for n, value in enumerate(place)}}
        cursor = await owner.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}".encode(), parameters, prepare=False)
        plan = "\n".join(row[0] for row in await cursor.fetchall())
        assert "Rows Removed" not in plan.partition(" on tasks t")[2], (sort, plan)
        assert "ROW(" in plan, (sort, plan)


async def _throw_away(owner: Connection, board: str) -> None:
    """Every 200th task."""
    await owner.execute(
        "UPDATE tasks SET deleted_at = now() WHERE workspace_id = %s AND position %% 200 = 111", (board,)
    )
    await owner.execute("ANALYZE tasks")


@pytest.mark.parametrize("trashed", [False, True])
async def test_a_page_by_several_sorts_or_of_the_trash_reads_little_wherever_it_begins(
    owner: Connection, board: str, trashed: bool
) -> None:
    await _throw_away(owner, board)
    for sort in (
        *(("-priority", "due_at"), ("priority", "-updated_at"), ("due_at", "-priority"), ("-due_at", "title")),
        *(("title", "-created_at"), ("start_at",), ("-start_at",), ("start_at", "-priority"), ("priority", "start_at")),
    ):
        query = replace(await _query(owner, board, "", READERS["who sees all"]), sort=sort, trashed=trashed)
        places = await _places(owner, query)
        assert len(places) == (60 if trashed else TASKS - 60)
        for at in (0, len(places) // 2, len(places) - 51):
            begun = None if at == 0 else cursors.encode(Cursor(list(sort), places[at - 1]))
            asked = replace(query, cursor=begun)
            page = await task_pages.page(owner, asked)
            expected = [place[-1] for place in places[at : at + 50]]
            assert [document[7:43] for document in page.documents] == expected, (sort, at)
            assert await _tasks_read(owner, asked) < 1_500, (sort, at)


async def _places(owner: Connection, query: TaskQuery) -> list[list[str]]:
    """The keys of a whole list, in its order."""
    keys = task_list.keys_of(query)
    cursor = await owner.execute(
        f"""
        SELECT ARRAY[{", ".join(f"({key.expression})::text" for key in keys)}] FROM checkpoints c, tasks t
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND {" AND ".join(task_list.present(query))}
        ORDER BY {task_list.order_of(keys)}
        """.encode(),
        task_list.parameters_of(query),
    )
    return [row[0] for row in await cursor.fetchall()]


async def _tasks_read(owner: Connection, query: TaskQuery) -> int:
    """How many rows of tasks a page looks at."""
    parameters = task_list.parameters_of(query)
    if query.cursor is not None:
        parameters |= task_list.cursor_parameters(query, task_list.keys_of(query))
    text = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {task_pages.statement(query)}"
    cursor = await owner.execute(text.encode(), parameters, prepare=False)
    row = await cursor.fetchone()
    assert row is not None
    nodes, read = [row[0][0]["Plan"]], 0
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node.get("Relation Name") == "tasks":
            read += (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return int(read)


async def test_the_trash_and_starts_are_read_by_indexes_of_their_own(owner: Connection, board: str) -> None:
    await _throw_away(owner, board)
    query = await _query(owner, board, "", READERS["who sees all"])
    for asked, index in (
        (replace(query, trashed=True), "tasks_trash"),
        (replace(query, sort=("start_at",)), "tasks_start"),
    ):
        assert f"using {index} on tasks" in await _plan(owner, asked, task_pages.statement(asked)), index


@pytest.mark.parametrize("who", READERS)
async def test_a_phrase_of_words_that_all_tasks_have_is_looked_for_in_few(
    owner: Connection, board: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.task_pages.MOST_LOOKED", 300)
    for sort in ("", " sort:title", " sort:-priority,due", " sort:-due"):
        query = await _query(owner, board, f'"report ops"{sort}', READERS[who])
        assert await _tasks_read(owner, query) < (3_000 if "," in sort else 1_500), sort


async def test_a_search_says_where_more_comments_have_the_words_than_are_looked_at(
    owner: Connection, board: str
) -> None:
    query = await _query(owner, board, "said", READERS["who sees all"])
    assert (await searching.search(owner, query)).cut
    query = await _query(owner, board, "said walrus", READERS["who sees all"])
    assert not (await searching.search(owner, query)).cut


@pytest.mark.parametrize("who", READERS)
async def test_no_list_search_or_count_reads_all_tasks(owner: Connection, board: str, who: str) -> None:
    for text in (
        *(
            "",
            "status:stuck",
            "tag:rare",
            "tag:ops",
            "key:APP-103",
            "assignee:me",
            "is:active sort:-priority",
            "due<1h",
        ),
        *("is:overdue sort:due", "walrus", "report", "walr*", '"walrus said"', "report -walrus", "walrus sort:title"),
        *("updated>-10m sort:-updated", "sort:-priority,due", "project:none tag:rare", "-status:done"),
    ):
        query = await _query(owner, board, text, READERS[who])
        statements = [_list(query), facets.statement(query, ("status", "tag", "due"))]
        if query.asked.words is not None:
            statements.append(searching.statement(query))
        for statement in statements:
            plan = await _plan(owner, query, statement)
            assert "Seq Scan on tasks" not in plan, (text, plan)


async def test_what_few_tasks_have_is_looked_up(owner: Connection, board: str) -> None:
    for text, index in (
        ("status:stuck", "tasks_status"),
        ("tag:rare", "tasks_search"),
        ("key:APP-103", "tasks_key"),
        ("assignee:me", "tasks_assignee"),
        ("walrus", "tasks_search"),
        ("due<2h sort:title", "tasks_due"),
    ):
        query = await _query(owner, board, text, READERS["who sees all"])
        assert index in await _plan(owner, query, _list(query)), text
