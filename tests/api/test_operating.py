"""What operators and generators of clients rely on: health, readiness, version, OpenAPI, AsyncAPI."""

from typing import Any

import psycopg
import pytest
from psycopg import sql
from websockets.exceptions import ConnectionClosed

from api.version import VERSION
from projections.registry import PROJECTIONS
from tests.house import Database, House, Servers, refused


async def _json(house: House, path: str) -> Any:
    response = await house.http.get(f"{house.base}{path}")
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_house_that_stands_is_alive_and_ready(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    assert await _json(house, "/healthz") == {"status": "alive"}
    workspace_id = house.services.identify(ada.headers["Authorization"]).workspace_id
    for name in PROJECTIONS:
        await house.services.positions.reach(workspace_id, name, task["position"])
    ready = await _json(house, "/readyz")
    assert (ready["status"], ready["redis"]) == ("ready", {"status": "ok"})
    assert ready["database"]["projections"] == [
        {"name": name, "lag": 0, "behind": 0, "failing": 0, "first_failing": []} for name in sorted(PROJECTIONS)
    ]
    async with house.pool.connection() as connection:
        row = await (await connection.execute("SELECT epoch()")).fetchone()
    assert await _json(house, "/version") == {"version": VERSION, "epoch": row[0] if row else None}


async def test_readiness_shows_how_far_projections_are_behind(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        await ada.task()
        await house.user("elsewhere")
        projections = (await _json(house, "/readyz"))["database"]["projections"]
        assert projections == [
            {"name": name, "lag": 5, "behind": 2, "failing": 0, "first_failing": []} for name in sorted(PROJECTIONS)
        ]


async def test_without_its_database_it_is_alive_but_not_ready(
    house: House, database: Database, servers: Servers
) -> None:
    ada = await house.user()
    name = database.serving_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(servers.owner_url, autocommit=True) as owner:
        owner.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        try:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )
            response = await house.http.get(f"{house.base}/readyz")
            assert (response.status_code, response.json()["status"]) == (503, "not ready")
            assert (await _json(house, "/healthz"))["status"] == "alive"
            refused(await ada.get("/tasks"), 503, "store.unavailable")
            async with ada.socket() as socket:
                with pytest.raises(ConnectionClosed):
                    await socket.receive()
                assert socket.connection.close_code == 1012
        finally:
            owner.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))


async def test_what_openapi_promises_of_a_task_is_what_comes(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    schemas = (await _json(house, "/openapi.json"))["components"]["schemas"]
    assert task.keys() == schemas["TaskDocument"]["properties"].keys() == set(schemas["TaskDocument"]["required"])
    assert (await ada.get("/users/profile")).json().keys() == schemas["ProfileDocument"]["properties"].keys()
    (entry,) = await ada.items(f"/tasks/{task['id']}/history")
    assert entry.keys() == schemas["HistoryEntry"]["properties"].keys()
    (change,) = await ada.items("/changes")
    assert change.keys() == schemas["UpsertDocument"]["properties"].keys()


async def test_swagger_ui_is_there(house: House) -> None:
    response = await house.http.get(f"{house.base}/docs")
    assert response.status_code == 200
    assert "swagger-ui" in response.text


async def test_browsers_of_known_origins_may_call_and_read_the_headers(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, cors_origins="https://tasks.example", projecting=False) as house:
        ada = await house.user()
        asked = {"Origin": "https://tasks.example", "Access-Control-Request-Method": "PATCH"}
        answer = await house.http.options("/tasks", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://tasks.example"
        created = await ada.post("/tasks", {"title": "a"}, origin="https://tasks.example")
        exposed = created.headers["Access-Control-Expose-Headers"].replace(" ", "").split(",")
        assert {"ETag", "Location", "Link", "Taskfold-Position", "Taskfold-Epoch", "X-Request-ID"} <= {*exposed}
        assert {"Idempotency-Replayed", "Retry-After"} <= {*exposed}
        other = await ada.post("/tasks", {"title": "a"}, origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize("name", ["task.exploded", "task.created"])
async def test_an_event_that_is_not_understood_is_a_failure_that_names_the_request(house: House, name: str) -> None:
    ada = await house.user()
    task = await ada.task()
    await house.insert_event(task["id"], name, {"nonsense": True})
    response = await ada.get(f"/tasks/{task['id']}")
    refused(response, 500, "event.unknown" if name == "task.exploded" else "server.failure")
    refused(await ada.post(f"/tasks/{task['id']}/start"), 500, response.json()["code"])
