"""What Prometheus reads: every number follows what happens, in one process and in several."""

import asyncio
import re
from uuid import uuid4

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from psycopg import AsyncConnection
from websockets.exceptions import ConnectionClosed

from api.job_worker import JobWorker
from api.mailer import Mailer
from api.metrics import wiring
from api.metrics.serving import served
from commands.outbox import Outbox
from domain.events import UnknownEvent
from projections import sight
from projections.drift_worker import DriftWatch
from projections.registry import TABLES
from tests.api.clock import resting
from tests.house import Database, House, Servers, refused

TOKEN = "a token for who reads the metrics"


class Numbers:
    """A page of metrics, read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {family.name: family for family in parse_text(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """The value of a series; 0 for a series that is not there, as for one that nobody has counted."""
        return self._values.get((name, frozenset(labels.items())), 0.0)

    def series(self, name: str) -> set[frozenset[tuple[str, str]]]:
        """The labels of the series of a name."""
        return {labels for sample, labels in self._values if sample == name}


async def numbers(house: House) -> Numbers:
    response = await house.http.get(f"{house.base}/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Numbers(response.text)


async def test_the_text_format_is_answered_and_openmetrics_to_those_who_accept_it(house: House) -> None:
    text = (await numbers(house)).text
    asked = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    response = await house.http.get(f"{house.base}/metrics", headers=asked)
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.text.endswith("# EOF\n")
    assert {family.name for family in parse_openmetrics(response.text)} == {family.name for family in parse_text(text)}


async def test_appends_are_counted_by_outcome(house: House) -> None:
    ada = await house.user()
    before = await numbers(house)
    task = await ada.task()
    await ada.post(f"/tasks/{task['id']}/start", idempotency_key="once")
    await ada.post(f"/tasks/{task['id']}/start", idempotency_key="once")
    same = await ada.call("PATCH", f"/tasks/{task['id']}", {"title": task["title"]})
    assert same.status_code == 200
    refused(await ada.post(f"/tasks/{task['id']}/start"), 409, "task.illegal_move")
    after = await numbers(house)

    def more(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert more("taskfold_appends_total", outcome="committed") == 2
    assert more("taskfold_appends_total", outcome="unchanged") == 2  # the same title, and the rejection
    assert more("taskfold_appends_total", outcome="conflict") == 0
    assert more("taskfold_commands_rejected_total") == 1
    assert more("taskfold_appended_events_total") == 2
    assert more("taskfold_append_commit_seconds_count") == 4
    assert more("taskfold_append_batch_size_sum") == 4
    assert more("taskfold_append_batch_size_bucket", le="1.0") == 4
    assert 0 < more("taskfold_append_commit_seconds_sum") < 60
    assert after("taskfold_append_queue_depth") == 0
    assert after("taskfold_append_oldest_waiting_seconds") == 0


async def test_a_decision_that_another_writer_overtook_is_a_conflict_and_a_retry(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    before = await numbers(house)
    await house.insert_event(task["id"], "task.started", {"status": "in_progress", "category": "active"})
    assert (await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "another"})).status_code == 200
    after = await numbers(house)
    assert (
        after("taskfold_appends_total", outcome="conflict") - before("taskfold_appends_total", outcome="conflict") == 1
    )
    assert after("taskfold_command_retries_total") - before("taskfold_command_retries_total") == 1


async def test_requests_are_counted_by_the_template_of_their_route(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    await ada.get(f"/tasks/{task['id']}")
    await ada.get("/tasks/no-id")
    await ada.post(f"/tasks/{task['id']}/complete")
    await ada.post(f"/tasks/{task['id']}/start")
    for path in ("/nowhere/at/all", f"/api/v1/{task['id']}", "/healthz"):
        await house.http.get(f"{house.base}{path}")
    await house.http.request("PATCH", f"{house.base}/healthz")
    await house.http.request("PROPFIND", f"{house.base}/healthz")
    found = await numbers(house)

    def requests(method: str, route: str, status: str) -> float:
        return found("taskfold_http_requests_total", method=method, route=route, status=status)

    assert requests("POST", "/api/v1/auth/register", "2xx") == 1
    assert requests("POST", "/api/v1/tasks", "2xx") == 1
    assert requests("GET", "/api/v1/tasks/{task_id}", "2xx") == 1
    assert requests("GET", "/api/v1/tasks/{task_id}", "4xx") == 1
    assert requests("POST", "/api/v1/tasks/{task_id}/complete", "2xx") == 1
    assert requests("POST", "/api/v1/tasks/{task_id}/start", "4xx") == 1
    assert requests("GET", "unmatched", "4xx") == 2
    assert requests("GET", "/healthz", "2xx") == 1
    assert requests("PATCH", "/healthz", "4xx") == 1
    assert requests("other", "/healthz", "4xx") == 1
    assert task["id"] not in found.text
    assert "nowhere" not in found.text
    route = {"method": "GET", "route": "/api/v1/tasks/{task_id}"}
    assert found("taskfold_http_request_seconds_count", **route) == 2
    assert found("taskfold_http_request_seconds_bucket", le="+Inf", **route) == 2
    assert 0 < found("taskfold_http_request_seconds_sum", **route) < 60


async def test_every_route_is_known_by_its_template(house: House) -> None:
    """Also those that the commands' lane serves past the router: what comes is what OpenAPI describes."""
    paths = (await house.http.get(f"{house.base}/openapi.json")).json()["paths"]
    wanted = {(method.upper(), path) for path, item in paths.items() for method in item}
    for method, path in wanted:
        await house.http.request(method, house.base + re.sub(r"{\w+}", str(uuid4()), path))
    found = await numbers(house)
    seen = {(labels["method"], labels["route"]) for labels in map(dict, found.series("taskfold_http_requests_total"))}
    assert wanted - seen == set()
    assert seen - wanted == {("GET", "/openapi.json")}


async def test_projections_are_behind_while_no_worker_runs_and_their_age_grows(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        await ada.task()
        await house.user("elsewhere")
        first = await standing(house)
        assert (first("taskfold_log_events"), first("taskfold_log_workspaces")) == (await house.head(), 2)
        for name in TABLES:
            assert first("taskfold_projection_lag_events", projection=name) == await house.head()
            assert first("taskfold_projection_workspaces_behind", projection=name) == 2
            assert first("taskfold_projection_lag_seconds", projection=name) > 0
        later = await standing(house)
        for name in TABLES:
            lag = [page("taskfold_projection_lag_seconds", projection=name) for page in (first, later)]
            assert lag[1] > lag[0]
        await house.project()
        done = await standing(house)
        for name in TABLES:
            assert done("taskfold_projection_lag_events", projection=name) == 0
            assert done("taskfold_projection_lag_seconds", projection=name) == 0
            assert done("taskfold_projection_workspaces_behind", projection=name) == 0
            assert done("taskfold_projection_workspaces_leased", projection=name) == 2


async def standing(house: House) -> Numbers:
    """Numbers that were asked of PostgreSQL just now."""
    house.app.state.metrics.forget()
    return await numbers(house)


async def test_a_projection_that_stopped_at_an_event_is_failing(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    await house.insert_event(task["id"], "task.exploded", {})
    async with asyncio.timeout(20):
        while not (await standing(house))("taskfold_projection_workspaces_failing", projection="tasks"):
            pass
    found = await standing(house)
    assert found("taskfold_projection_workspaces_failing", projection="tasks") == 1
    assert found("taskfold_projection_workspaces_failing", projection="users") == 0
    await house.projector.stop()
    failed = house.projector.counts.by_name["tasks"].failed
    workspace_id = house.services.identify(ada.headers["Authorization"]).workspace_id
    with pytest.raises(UnknownEvent):
        await house.projector.run_once(workspace_id, "tasks")
    assert house.projector.counts.by_name["tasks"].failed == failed + 1


async def test_without_its_database_the_page_says_so(house: House) -> None:
    assert (await numbers(house))("taskfold_database_up") == 1
    await house.services.pool.close()
    found = await standing(house)
    assert found.families["taskfold_database_up"].samples[0].value == 0
    assert found.series("taskfold_projection_lag_events") == set()


async def test_who_knows_the_token_reads_the_metrics_and_nobody_else(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False, metrics_token=TOKEN) as house:
        url = f"{house.base}/metrics"
        refused(await house.http.get(url), 401, "auth.missing")
        ada = await house.user()
        refused(await house.http.get(url, headers=ada.headers), 401, "auth.missing")
        answer = await house.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert TOKEN not in answer.text


async def test_metrics_can_be_switched_off(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False, metrics="off") as house:
        refused(await house.http.get(f"{house.base}/metrics"), 404, "route.not_found")
        assert (await (await house.user()).task())["version"] == 1


async def test_a_page_names_nobody_and_no_workspace(house: House) -> None:
    ada = await house.user("a-secret-workspace")
    task = await ada.task("a private matter")
    await ada.get("/tasks", q="a private matter", min_position=task["position"])
    workspace = house.services.identify(ada.headers["Authorization"]).workspace_id
    text = (await numbers(house)).text
    private = (
        workspace,
        "a-secret-workspace",
        ada.id,
        task["id"],
        "private",
        "example.com",
        ada.tokens["access_token"],
    )
    assert [word for word in private if word in text] == []


async def test_a_worker_serves_its_own_metrics(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    await ada.get("/tasks", min_position=task["position"])
    settings = house.settings.model_copy(update={"metrics_token": TOKEN})
    mailer, jobs = Mailer(Outbox(house.pool), None), JobWorker(house.pool, settings.database_url, lambda *_: None)
    page = wiring.of_worker(
        house.projector, DriftWatch(house.pool, TABLES), mailer, resting(house), house.pool, settings, jobs=jobs
    )
    async with served(page, "127.0.0.1", 0) as url:
        assert (await house.http.get(url)).status_code == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await house.http.get(url, headers=headers)
        assert (await house.http.post(url, headers=headers)).status_code == 405
        assert (await house.http.get(url.replace("/metrics", "/other"), headers=headers)).status_code == 404
    found = Numbers(answer.text)
    assert found("taskfold_worker_positions_total", projection="tasks") == await house.head()
    assert found("taskfold_worker_batch_seconds_count", projection="tasks") >= 1
    assert found("taskfold_worker_batch_failures_total", projection="tasks") == 0
    assert found("taskfold_worker_leases") >= 1
    assert found("taskfold_redis_connected") == 1
    assert found("taskfold_pool_connections_max") == house.pool.max_size


async def test_sockets_and_what_they_are_sent_are_counted(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    assert (await ada.get("/tasks", min_position=task["position"])).status_code == 200
    async with ada.socket() as first, ada.socket(after=0) as second:
        assert (await first.receive())["type"] == "hello"
        await second.until(task["position"])
        done = (await ada.post(f"/tasks/{task['id']}/start")).json()
        for socket in (first, second):
            assert [frame["position"] for frame in await socket.changes(done["position"])][-1:] == [done["position"]]
        found = await numbers(house)
        assert found("taskfold_sockets_open") == 2
        assert found("taskfold_socket_frames_total") == 2
        assert found("taskfold_socket_bytes_total") > 2 * len(task["id"])
        assert found("taskfold_socket_catch_ups_total") == 1
        assert found("taskfold_push_publications_total") >= 1
        assert found("taskfold_hints_received_total") >= found("taskfold_push_publications_total")
    async with asyncio.timeout(20):
        while (await numbers(house))("taskfold_sockets_open"):
            pass


async def test_a_socket_that_we_close_is_counted_by_its_code(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        assert (await socket.receive())["type"] == "hello"
        logout = await house.http.post("/auth/logout", json={"refresh_token": ada.tokens["refresh_token"]})
        assert logout.status_code == 204
        with pytest.raises(ConnectionClosed):
            await socket.receive()
        assert socket.connection.close_code == 4401
    assert (await numbers(house))("taskfold_socket_closes_total", code="4401") == 1


async def test_who_is_told_to_read_again_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "MOST", 0)  # tasks that are told one by one
    ada = await house.user()
    bob = await house.user()
    async with bob.socket(after=10**9) as socket:
        assert [(await socket.receive())["type"] for _ in range(2)] == ["hello", "resync"]
        assert (await numbers(house))("taskfold_socket_resyncs_total") == 1
        await ada.task()
        await ada.call("PUT", f"/users/{bob.id}/role", {"role": "manager"})
        while (await socket.receive())["type"] != "resync":
            pass
        assert (await numbers(house))("taskfold_socket_resyncs_total") == 2


async def test_an_append_whose_log_is_locked_is_seen_waiting(house: House) -> None:
    ada = await house.user()
    async with await AsyncConnection.connect(house.owner_url) as others:
        await others.execute("SELECT FROM logs FOR UPDATE")
        creating = asyncio.create_task(ada.task())
        async with asyncio.timeout(20):
            while not (found := await numbers(house))("taskfold_append_locked_total"):
                pass
        assert found("taskfold_append_queue_depth") == 1
        assert found("taskfold_append_queue_capacity") > 1
        assert found("taskfold_append_oldest_waiting_seconds") > 0
        assert found("taskfold_appends_total", outcome="committed") == 0
        await others.rollback()
    assert (await creating)["version"] == 1
    found = await numbers(house)
    assert (found("taskfold_append_queue_depth"), found("taskfold_append_oldest_waiting_seconds")) == (0, 0)


async def test_a_batch_that_is_sent_again_is_counted_and_its_event_once(house: House) -> None:
    ada = await house.user()
    for _ in range(8):  # more than the committer has connections: each has been used
        await ada.task()
    before = await numbers(house)
    async with await AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    for _ in range(8):
        await ada.task()
    after = await numbers(house)
    assert after("taskfold_append_resends_total") > before("taskfold_append_resends_total") == 0
    assert after("taskfold_appended_events_total") - before("taskfold_appended_events_total") == 8


async def test_drift_is_counted_where_it_is_found(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    assert (await ada.get("/tasks", min_position=task["position"])).status_code == 200
    watch = DriftWatch(house.pool, TABLES)
    mailer, jobs = Mailer(Outbox(house.pool), None), JobWorker(house.pool, house.settings.database_url, lambda *_: None)
    page = wiring.of_worker(house.projector, watch, mailer, resting(house), house.pool, house.settings, jobs=jobs)
    assert await watch.run_once() == []
    sound = Numbers((await page.render(None)).body.decode())
    assert sound("taskfold_drift_samples_total", projection="tasks") == 1
    assert sound("taskfold_drift_differences_total", projection="tasks") == 0
    assert sound("taskfold_drift_last_run_timestamp_seconds") > 0
    async with await AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        await owner.execute("UPDATE tasks SET title = 'planted' WHERE task_id = %s", (task["id"],))
    await watch.run_once()
    found = Numbers((await page.render(None)).body.decode())
    assert found("taskfold_drift_differences_total", projection="tasks") == 1
    assert found("taskfold_drift_differences_total", projection="users") == 0
    assert "planted" not in found.text
