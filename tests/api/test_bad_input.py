"""Bad input: whatever is sent wherever, the answer is a 4xx problem document and nothing has changed."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import orjson
import pytest

from tests.house import Client, House, encoded, refused

NO_JSON = {
    "nothing": b"",
    "no JSON": b"title",
    "cut off": b'{"title": "a"',
    "two documents": b'{"title": "a"} {}',
    "single quotes": b"{'title': 'a'}",
    "invalid UTF-8": b'{"title": "\xff"}',
    "cut UTF-8": b'{"title": "\xc3"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "20,000 deep list": b"[" * 20_000 + b"]" * 20_000,
    "20,000 deep object": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "20,000 deep and open": b'{"title":' + b"[" * 20_000,
    "raw NUL": b'{"title": "a\x00b"}',
    "lone high surrogate": b'{"title": "\\ud800"}',
    "lone low surrogate": b'{"title": "\\udc00 a"}',
}
NO_OBJECT = {
    "null": b"null",
    "list": b'[{"title": "a"}]',
    "text": b'"title"',
    "number": b"9223372036854775808",
    "NaN": b"NaN",
    "no fields at all but another": b'{"constructor": {"prototype": 1}}',
    "a long number": b"1" * 5_000,
}


class Target:
    """A command route with a body that is right but for one field."""

    def __init__(self, method: str, path: str, right: dict[str, Any]) -> None:
        self.method, self.path, self.right = method, path, right

    async def send(self, client: Client, raw: bytes, media_type: str = "application/json") -> httpx.Response:
        headers = {**client.headers, "Content-Type": media_type}
        return await client.http.request(self.method, self.path, content=raw, headers=headers)


async def _targets(ada: Client) -> list[Target]:
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    return [
        Target("POST", "/tasks", {"title": "a"}),
        Target("PUT", path, {"title": "a"}),
        Target("PATCH", path, {"title": "b"}),
        Target("POST", f"{path}/assign", {"user_id": ada.id}),
        Target("POST", f"{path}/unassign", {}),
        Target("POST", f"{path}/moves", {"move": "start"}),
        *[
            Target("POST", f"{path}/{move}", {"reason": "a"})
            for move in ("start", "pause", "complete", "cancel", "reopen", "restore")
        ],
        Target("PUT", "/users/profile", {"display_name": "a"}),
        Target("PUT", f"/users/{ada.id}/role", {"role": "admin"}),
    ]


async def test_a_body_that_is_no_json_object_is_refused_everywhere(house: House) -> None:
    ada = await house.user()
    targets = await _targets(ada)
    head = await house.head()
    for target in targets:
        for name, raw in NO_JSON.items():
            if not raw and target.right.keys() <= {"reason"}:
                continue  # there the body is optional
            response = await target.send(ada, raw)
            assert response.status_code == 400, (target.path, name, response.text[:300])
            refused(response, 400, "request.malformed")
        for name, raw in NO_OBJECT.items():
            response = await target.send(ada, raw)
            assert response.status_code in (400, 422), (target.path, name, response.text[:300])
            refused(response, response.status_code, response.json()["code"])
    assert await house.head() == head


async def test_unknown_fields_and_wrong_media_types_are_refused_everywhere(house: House) -> None:
    ada = await house.user()
    targets = await _targets(ada)
    head = await house.head()
    for target in targets:
        raw = orjson.dumps({**target.right, "sta/tus~": "done"})
        problem = refused(await target.send(ada, raw), 422, "request.invalid")
        assert [error["pointer"] for error in problem["errors"]] == ["/sta~1tus~0"]
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            refused(await target.send(ada, orjson.dumps(target.right), media_type), 415, "request.media_type")
    assert await house.head() == head


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65_536):
        yield b"a" * 65_536


async def test_a_body_of_10_mb_is_refused_everywhere(house: House) -> None:
    ada = await house.user()
    targets = await _targets(ada)
    head = await house.head()
    for target in [*targets, *[Target("POST", f"/auth/{name}", {}) for name in ("register", "login", "refresh")]]:
        refused(await target.send(ada, b'{"title": "' + b"a" * 10_000_000 + b'"}'), 413, "request.too_large")
        headers = {**ada.headers, "Content-Type": "application/json"}
        response = await ada.http.request(target.method, target.path, content=_pieces(10_000_000), headers=headers)
        refused(response, 413, "request.too_large")
    assert await house.head() == head


TEXTS: list[Any] = [None, 1, 1.5, True, [], {}, "", "a\x00b", "x" * 200_000]
BAD: dict[str, list[Any]] = {
    "title": [*TEXTS, "   ", "a\nb", "a\x7f", "x" * 501, 2**63, float("1e308")],
    "description": [1, True, [], {}, "a\x00b", "x" * 100_001],
    "priority": [1, True, [], {}, "", "highest", "HIGH", "high\x00"],
    "due_at": [
        5,
        1.5,
        2**63,
        True,
        [],
        {},
        "",
        "tomorrow",
        "1700000000",
        "2027-01-01",
        "2027-01-01T00:00:00",
        "2027-02-30T00:00:00Z",
        "2027-01-01T25:00:00Z",
        "294277-01-01T00:00:00Z",
        "+294277-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59Z",
        "2027-01-01T00:00:00Z\x00",
    ],
    "due_on": [5, True, [], "", "tomorrow", "2027-02-30", "20270131", "0000-01-01", "2027-01-01T00:00:00Z"],
    "due_zone": [5, True, [], {}, "", "Mars/Olympus", "../../etc/passwd", "UTC\x00", "x" * 101],
    "tags": ["a", 1, True, {}, [1], [None], [""], ["a\x00"], ["a\nb"], ["x" * 51], [" "], [*map(str, range(51))]],
    "assignee": ["me", 1, [], {}, {"id": None}, {"id": "x"}, {"id": 2**64}, {"type": "team", "id": str(uuid4())}],
    "project_id": ["x", str(uuid4()), 1],
    "parent_id": ["x", str(uuid4()), 1],
}  # fmt: skip
BAD["start_at"] = BAD["due_at"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_bad_values_of_a_task_are_refused_by_name(house: House, method: str) -> None:
    ada = await house.user()
    task = await ada.task()
    path = "/tasks" if method == "POST" else f"/tasks/{task['id']}"
    head = await house.head()
    for field, values in BAD.items():
        for value in values:
            response = await ada.call(method, path, {"title": "a", field: value})
            assert response.status_code == 422, (field, value, response.text[:200])
            problem = refused(response, 422, response.json()["code"])
            assert all(error["pointer"].startswith(f"/{field}") for error in problem["errors"])
    assert await house.head() == head
    assert (await ada.get(f"/tasks/{task['id']}")).json() == task


async def test_bad_values_of_other_commands_are_refused_by_name(house: House) -> None:
    ada = await house.user()
    targets = await _targets(ada)
    head = await house.head()
    bad: dict[str, list[Any]] = {
        "reason": [1, True, [], {}, "a\x00b", "x" * 2_001],
        "user_id": [None, 1, True, [], {}, "", "x", "me", "a\x00b", 2**63],
        "move": [*TEXTS],
        "display_name": [*TEXTS, "a\nb", "x" * 201],
        "role": [*TEXTS, "owner", "Admin"],
    }
    for target in targets:
        for field in target.right.keys() & bad.keys():
            for value in bad[field]:
                response = await ada.call(target.method, target.path, {**target.right, field: value})
                assert response.status_code in (409, 422), (target.path, field, value, response.text[:200])
                refused(response, response.status_code, response.json()["code"])
    assert await house.head() == head


async def test_preferences_are_json_that_can_be_stored(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    target = Target("PUT", "/users/profile", {})
    for value in (
        b"null",
        b"[]",
        b'"a"',
        b'{"a": NaN}',
        b'{"a": [-Infinity]}',
        b'{"a": 1e400}',
        b'{"a": "\\u0000"}',
        b'{"a\\u0000": 1}',
        b'{"a": [{"b": "\\u0000"}]}',
        b'{"a": 18446744073709551616}',
        b'{"a": "' + b"x" * 10_001 + b'"}',
    ):
        response = await target.send(ada, b'{"preferences": ' + value + b"}")
        refused(response, 422, response.json()["code"])
    assert await house.head() == head
    kept = {"a": "\\u0000", "b": [1.5, None, True, -(2**63), {"c": "ü\U0001f600"}], "": {}}
    answer = await target.send(ada, orjson.dumps({"preferences": kept}))
    assert answer.json()["preferences"] == kept == (await ada.get("/users/profile")).json()["preferences"]


async def test_ids_that_are_none_are_refused_on_every_route(house: House) -> None:
    ada = await house.user()
    for id_ in ("x", "0", "%00", "%ff", "me", "1" * 5_000, "{0}", "..%2f..", "01a1fc0f-6098-7662-a7fb-b9e4a496577"):
        for method, suffix in (
            ("GET", ""), ("GET", "/history"), ("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/assign"),
            ("POST", "/unassign"), ("POST", "/moves"), ("POST", "/start"), ("POST", "/restore"),
        ):  # fmt: skip
            body = {"title": "a"} if method in ("PUT", "PATCH") else None
            response = await ada.call(method, f"/tasks/{id_}{suffix}", body)
            assert response.status_code in (404, 405, 422), (method, id_, suffix, response.text[:200])
            problem = response.json()
            assert problem["request_id"] == response.headers["X-Request-ID"]
    for id_ in ("x", "%00"):
        refused(await ada.call("PUT", f"/users/{id_}/role", {"role": "admin"}), 422, "request.invalid")
        refused(await ada.get(f"/users/{id_}"), 422, "request.invalid")


HOSTILE = [
    "%00", "a%00", "%ff", "%ED%A0%80", "9223372036854775808", "-9223372036854775809", "1e400", "NaN", "-1", "1.5",
    "[]", "{}", "null", "294277-01-01T00:00:00Z", "1" * 5_000, "", "'; DROP TABLE tasks --", "%F0%9F%98%80",
]  # fmt: skip
PARAMETERS = {
    "/tasks": [
        "status", "category", "priority", "assignee", "created_by", "project_id", "parent_id", "tag", "due_before",
        "due_after", "start_before", "start_after", "overdue", "updated_after", "q", "sort", "limit", "cursor",
        "trashed", "min_position", "unknown", "as_of",
    ],
    "/tasks/search": ["q", "limit", "cursor", "min_position", "sort"],
    "/changes": ["after", "limit", "cursor", "min_position"],
    "/users": ["limit", "cursor", "min_position"],
    "/tasks/{task}/history": ["limit", "cursor", "min_position"],
    "/tasks/{task}": ["min_position"],
}  # fmt: skip


async def test_hostile_query_parameters_never_fail(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    statuses: dict[str, set[int]] = {}
    for path, names in PARAMETERS.items():
        for name in names:
            for value in HOSTILE:
                url = f"{path.format(task=task['id'])}?{name}={value}"
                response = await ada.http.get(url, headers=ada.headers)
                statuses.setdefault(name, set()).add(response.status_code)
                if response.status_code != 200:
                    refused(response, 422, response.json()["code"])
    for name in ("limit", "after", "min_position", "due_before", "assignee", "category", "sort", "unknown", "as_of"):
        assert statuses[name] == {422}, name
    assert statuses["q"] == statuses["tag"] == {200, 422}


async def test_hostile_headers_never_fail(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    plain = encoded(ada.headers)
    for name, value, status in (
        (b"Authorization", b"Bearer " + b"a" * 30_000, 401),
        (b"Authorization", b"Bearer " + b"a" * 100_000, 431),
        (b"Authorization", b"Bearer \xff\xfe", 401),
        (b"Authorization", b"Basic YTpi", 401),
        (b"Authorization", b"Bearer", 401),
        (b"Authorization", b"", 401),
        (b"Authorization", b"Bearer " + base64.urlsafe_b64encode(b"[" * 15_000).rstrip(b"=") + b".e30.AAAA", 401),
        (b"If-Match", b"a" * 30_000, 400),
        (b"If-Match", b"a" * 100_000, 431),
        (b"Idempotency-Key", b"a" * 30_000, 400),
        (b"Idempotency-Key", b"a" * 100_000, 431),
        (b"Content-Type", b"\xff" * 1_000, 415),
        (b"Host", b"[", 422),
        (b"Accept-Language", b"x" * 30_000, 422),
        (b"Accept-Language", b"x" * 100_000, 431),
    ):
        headers = [*(pair for pair in plain if pair[0] != name), (b"Content-Type", b"application/json"), (name, value)]
        if name == b"Content-Type":
            headers.remove((b"Content-Type", b"application/json"))
        response = await ada.http.post("/tasks", content=b'{"title": ""}', headers=headers)
        refused(response, status, response.json()["code"])
    assert await house.head() == head


async def test_a_body_that_never_comes_whole_changes_nothing(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    place = urlsplit(house.base)
    _, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = ["POST /api/v1/tasks HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 100"]
    lines += [f"{name}: {value}" for name, value in ada.headers.items()]
    writer.write("\r\n".join([*lines, "", '{"title": "a"}']).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await ada.task())["position"] == head + 1


async def test_bad_registrations_and_logins_are_refused(house: House) -> None:
    right = {"email": "a@example.com", "password": "correct horse", "display_name": "A"}
    wrong: dict[str, list[Any]] = {
        "email": [None, 1, "", "a", "a@", "@b", "a b@c", "a@b\x00", "a@b\nc", "x" * 250 + "@b.c", "a@@b"],
        "password": [None, 1, "", "short", "x" * 257, []],
        "display_name": [None, 1, "", " ", "a\x00", "a\nb", "x" * 201],
        "workspace": [None, 1, "", "Main", "a b", "-a", "a-", "x" * 41, "a\x00", "é"],
        "invite": [1, "x" * 201],
        "admin": [True],
    }
    for field, values in wrong.items():
        for value in values:
            response = await house.http.post("/auth/register", json={**right, field: value})
            assert response.status_code == 422, (field, value, response.text[:200])
            problem = refused(response, 422, response.json()["code"])
            assert problem["errors"][0]["pointer"] == f"/{field}"
    for path in ("/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"):
        for name, raw in (NO_JSON | NO_OBJECT).items():
            response = await house.http.post(path, content=raw, headers={"Content-Type": "application/json"})
            assert response.status_code in (400, 422), (path, name, response.text[:200])
            refused(response, response.status_code, response.json()["code"])
        response = await house.http.post(path, content=b"{}", headers={"Content-Type": "text/plain"})
        assert response.status_code in (415, 422)
    assert await house.head() == 0


async def test_a_path_or_method_that_is_none_is_refused_as_a_problem(house: House) -> None:
    ada = await house.user()
    refused(await ada.get("/nothing"), 404, "route.not_found")
    refused(await ada.call("PATCH", "/tasks"), 405, "route.method_not_allowed")
    refused(await ada.call("DELETE", "/users/profile"), 405, "route.method_not_allowed")
    refused(await ada.call("GET", f"/tasks/{uuid4()}/start"), 405, "route.method_not_allowed")
    refused(await ada.post(f"/tasks/{uuid4()}/fly"), 404, "route.not_found")
    refused(await ada.get("/tasks/"), 404, "route.not_found")  # no redirect, which would go where the Host field says


async def test_a_method_that_a_path_has_not_is_answered_with_all_that_it_has(house: House) -> None:
    ada = await house.user()
    for method, path, allowed in (
        ("OPTIONS", "/tasks", "GET, POST"),
        ("TRACE", f"/tasks/{uuid4()}", "DELETE, GET, PATCH, PUT"),
        ("DELETE", "/tasks/search", "GET"),
        ("PUT", "/auth/login", "POST"),
    ):
        response = await ada.call(method, path)
        refused(response, 405, "route.method_not_allowed")
        assert response.headers["Allow"] == allowed
