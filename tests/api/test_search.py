"""Searches find what is said about a task, for those who see the task, below what it says itself."""

from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from domain.policy import eyes
from domain.query import parse
from projections import queries, searching, task_list, tasks
from projections.queries import Reader
from projections.task_list import TaskQuery
from tests.house import Client, Database, House, Servers, position_of, refused

# Ten thousand of each, beside the first, and what the planner knows of them.
MANY = (
    """
    INSERT INTO tasks (workspace_id, build, task_id, version, position, title, description, status, category, priority,
                       subtasks, links, tags, created_by, created_at, updated_at)
    SELECT workspace_id, build, gen_random_uuid(), 1, position, 't' || n, '', status, category, priority,
           subtasks, links, tags, created_by, created_at, updated_at
    FROM tasks, generate_series(1, 10000) n
    """,
    """
    INSERT INTO comments (workspace_id, build, comment_id, version, position, task_id, body, mentions, created_by,
                          created_at, updated_at)
    SELECT workspace_id, build, gen_random_uuid(), 1, position, task_id, 'n' || n, '{}', created_by, created_at,
           updated_at
    FROM comments, generate_series(1, 10000) n
    """,
    "ANALYZE tasks",
    "ANALYZE comments",
)


async def _say(client: Client, task: dict[str, Any], body: str) -> dict[str, Any]:
    response = await client.post(f"/tasks/{task['id']}/comments", {"body": body})
    assert response.status_code == 201, response.text
    comment: dict[str, Any] = response.json()
    return comment


async def _found(client: Client, house: House, q: str, **more: Any) -> list[str]:
    for path in ("/tasks/search", "/tasks"):
        found = await client.items(path, q=q, min_position=await house.head(), **more)
        titles = [task["title"] for task in found]
        if path == "/tasks/search":
            ranked = titles
    assert sorted(titles) == sorted(ranked)
    return ranked


async def test_a_search_finds_the_words_of_comments_as_they_are_now(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task, other = await bob.task("report", description="apples"), await bob.task("another")
    comment = await _say(bob, task, f"Ask @{{{ada.id}}} about the walrus, and the sea cow.")
    await _say(bob, task, "The walrus again.")
    await bob.task("a walrus")
    await bob.task("tagged", tags=["walrus"])
    assert await _found(bob, house, "walrus") == ["a walrus", "tagged", "report"]
    assert await _found(bob, house, "walrus", limit=1) == ["a walrus", "tagged", "report"], "by pages"
    assert await _found(bob, house, '"sea cow" walrus') == ["report"], "the words stand in one comment"
    without = await _found(bob, house, "walrus -apples")
    assert sorted(without) == ["a walrus", "tagged"], "what is to be left out is not in the task either"
    assert await _found(bob, house, ada.id) == [], "whom it mentions is no word"
    assert await _found(await house.user(), house, "walrus") == [], "who does not see the task finds nothing"

    own = f"/tasks/{task['id']}/comments/{comment['id']}"
    edited = await bob.call("PATCH", own, {"body": "About the narwhal."})
    assert (await _found(bob, house, "cow"), await _found(bob, house, "narwhal")) == ([], ["report"])
    await bob.call("DELETE", own)
    assert await _found(bob, house, "narwhal") == []
    await _say(bob, other, "narwhal")
    past = await bob.items("/tasks/search", q="narwhal", as_of=position_of(edited))
    assert past == [], "the past is searched without what was said"
    assert await _found(bob, house, "narwhal", tag="x") == []


async def test_the_answer_shows_the_position_that_both_projections_have_reached(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False, read_wait_ms=10) as house:
        ada = await house.user()
        task = await ada.task("report")
        before = position_of(await ada.post(f"/tasks/{task['id']}/comments", {"body": "seal"}))
        await house.project()
        said = await ada.post(f"/tasks/{task['id']}/comments", {"body": "walrus"})
        head = position_of(said)
        workspace = house.services.identify(ada.headers["Authorization"]).workspace_id
        while await house.projector.run_once(workspace, tasks.NAME):
            pass
        for path in ("/tasks", "/tasks/search"):
            answer = await ada.get(path, q="walrus")
            assert (answer.json()["items"], position_of(answer)) == ([], before)
            refused(await ada.get(path, q="walrus", min_position=head), 503, "projection.behind")
        assert position_of(await ada.get("/tasks", min_position=head)) == head, "what asks for no words is not held up"
        await house.project()
        found = await ada.get("/tasks", q="walrus", min_position=head)
        assert ([item["title"] for item in found.json()["items"]], position_of(found)) == (["report"], head)


async def test_words_are_looked_up_by_index_once_for_a_page(house: House) -> None:
    ada = await house.user()
    task = await ada.task("report")
    await _say(ada, task, "walrus")
    await ada.get("/tasks", q="x", min_position=await house.head())
    async with await AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        for many in MANY:
            await owner.execute(many.encode())
        workspace = house.services.identify(ada.headers["Authorization"]).workspace_id
        user = await house.services.active(workspace, ada.id)
        asked = await queries.compile(owner, parse("walrus"), Reader(ada.id, datetime.now(UTC)))
        query = TaskQuery(workspace, eyes(user), asked=asked)
        text = f"EXPLAIN {searching.statement(query)}"
        cursor = await owner.execute(text.encode(), task_list.parameters_of(query))
        plan = "\n".join(row[0] for row in await cursor.fetchall())
    for index in ("comments_search", "tasks_search"):
        assert index in plan, plan
    assert "Seq Scan on tasks" not in plan, plan
    assert "Seq Scan on comments" not in plan, plan
    assert "ANY (" in plan, plan
