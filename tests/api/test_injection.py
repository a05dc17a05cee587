"""Injection: whatever text comes in a query, a path or a body, it stays text (OWASP ASVS 5.0, V1.2.4, V1.3).

Operations, parameters and fields are those of the OpenAPI document: what is added later is tried too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import httpx
import pytest

from tests.api.cast import Cast, cast
from tests.api.described import Described, Operation, Schema, fresh, kept, right
from tests.api.payloads import FEW, RAW, SPELLINGS, TEXTS, cursors
from tests.house import Client, House, refused

SECRET_WORD: Final = "thewordofothers"

# What a filter of text means, in Python. `q` is a search, whose syntax is that of the full text; it has a test below.
EXACT: Final[dict[str, Callable[[dict[str, Any], str], bool]]] = {
    "tag": lambda task, value: value in task["tags"],
    "status": lambda task, value: bool(task["status"] == value),
}
OPAQUE: Final = {"q", "sort", "cursor", "as_of"}
FOLDED: Final = {"locale"}  # a language tag, which is shown in its usual spelling
AT_ONCE: Final = 20


Get = Callable[[str], Awaitable[httpx.Response]]


class Scene:
    """A member with tasks of their own, and others who have what that member must never see."""

    def __init__(self, house: House, member: Client, founder: Client, tasks: list[dict[str, Any]]) -> None:
        self.house = house
        self.member = member
        self.founder = founder  # of an empty workspace: asks what a member may not
        self.tasks = tasks
        self.ids = {task["id"] for task in tasks}

    async def asker(self, path: str) -> "Get":
        """Who may ask there."""
        forbidden = (await self.member.get(path)).status_code == 403
        client = self.founder if forbidden else self.member

        async def get(url: str) -> httpx.Response:
            """What is answered: never a failure, never what is others'."""
            response = await client.http.get(url, headers=client.headers)
            if response.status_code != 200:
                assert response.status_code in (404, 422), (url, response.text[:300])
                assert response.headers["content-type"] == "application/problem+json"
                assert response.json()["code"] != "server.failure"
            assert SECRET_WORD not in response.text, url
            return response

        return get


@pytest.fixture
async def scene(house: House) -> Scene:
    admin, member = await house.user(), await house.user()
    stranger, founder = await house.user("elsewhere"), await house.user("empty")
    tasks = [await member.task(text.strip() or "blank", tags=[text] if len(text) <= 50 else []) for text in TEXTS]
    for other in (admin, stranger):
        task = await other.task(SECRET_WORD, description=SECRET_WORD, tags=[SECRET_WORD, "'", "%", "_"])
    await stranger.call("PUT", "/users/profile", {"display_name": SECRET_WORD})
    await stranger.post("/teams", {"name": SECRET_WORD})
    await stranger.post("/auth/tokens", {"name": SECRET_WORD, "scopes": ["read"]})
    await member.get("/tasks", min_position=tasks[-1]["position"])
    await stranger.get("/tasks", min_position=task["position"])
    return Scene(house, member, founder, tasks)


async def _each(values: Iterable[str], get: Get) -> dict[str, httpx.Response]:
    """The answers to many, some at a time."""
    room, found = asyncio.Semaphore(AT_ONCE), {}

    async def one(value: str) -> None:
        async with room:
            found[value] = await get(value)

    async with asyncio.TaskGroup() as group:
        for value in values:
            group.create_task(one(value))
    return found


def _gets(described: Described) -> Iterator[Operation]:
    """The reads that take something."""
    return (one for one in described.operations.values() if one.method == "GET" and one.parameters)


def _path(operation: Operation, scene: Scene) -> str:
    """With the id of a task of the member's for every id, which is right for tasks and nobody's for the others."""
    path = operation.path
    for parameter in operation.parameters:
        path = path.replace(f"{{{parameter['name']}}}", scene.tasks[0]["id"])
    return path


def _query(operation: Operation) -> dict[str, Schema]:
    return {one["name"]: one["schema"] for one in operation.parameters if one["in"] == "query"}


def _is_text(described: Described, schema: Schema) -> bool:
    """Whether any text may stand there."""
    for form in described.forms(schema):
        if form.get("type") == "array":
            return _is_text(described, form["items"])
        if form.get("type") == "string" and not form.keys() & {"format", "enum", "const", "pattern"}:
            return True
    return False


async def test_no_parameter_of_any_read_is_more_than_a_value(scene: Scene) -> None:
    described = await Described.of(scene.house)
    before, tried = await kept(scene.house), set()
    for operation in _gets(described):
        path, query = _path(operation, scene), _query(operation)
        also = "q=a&" if query.get("q", {}).get("type") == "string" else ""  # a search needs its words
        for name, schema in query.items():
            texts = TEXTS if _is_text(described, schema) and name not in tried else FEW
            sent = [f"{name}={quote(text, safe='')}" for text in texts]
            if name not in tried:
                sent += [f"{name}={raw}" for raw in RAW] + [spelling.format(name=name) for spelling in SPELLINGS]
            tried.add(name)
            urls = [f"{path}?{'' if name == 'q' else also}{part}" for part in sent]
            for url, response in (await _each(urls, await scene.asker(path))).items():
                if operation.path.startswith("/tasks") and response.status_code == 200 and "items" in response.json():
                    ids = {item["id"] for item in response.json()["items"] if "id" in item}
                    assert ids <= scene.ids, url
    assert await kept(scene.house) == before


async def test_no_part_of_a_path_is_more_than_an_id(scene: Scene) -> None:
    described = await Described.of(scene.house)
    for operation in _gets(described):
        for parameter in (one for one in operation.parameters if one["in"] == "path"):
            get, sent = (
                await scene.asker(_path(operation, scene)),
                (*(quote(text, safe="") for text in TEXTS), *RAW[1:]),
            )
            places = [operation.path.replace(f"{{{parameter['name']}}}", text) for text in sent]
            answers = await _each(places, get)
            found = {place for place, response in answers.items() if response.status_code not in (404, 422)}
            if operation.id == "getTag":  # a name is what it is: that of a tag, or of none
                for place in found:
                    assert answers[place].json()["name"] == unquote(place.removeprefix("/tags/")), place
            else:
                assert found == set()


async def test_a_filter_of_text_finds_what_is_equal_and_nothing_else(scene: Scene) -> None:
    described = await Described.of(scene.house)
    for operation in _gets(described):
        names = {name for name, schema in _query(operation).items() if _is_text(described, schema)}
        assert names <= EXACT.keys() | OPAQUE, "a filter of text needs its meaning in EXACT"
        if operation.id != "listTasks":
            continue
        for name in names & EXACT.keys():
            for text in TEXTS:
                found = await scene.member.items("/tasks", **{name: text})
                expected = {task["id"] for task in scene.tasks if EXACT[name](task, text)}
                assert {task["id"] for task in found} == expected, (name, text)


async def test_a_search_for_what_is_no_word_finds_nothing(scene: Scene) -> None:
    for text in TEXTS:
        if not any(map(str.isalnum, text)) and text.isascii():
            for path in ("/tasks", "/tasks/search"):
                if text == '"':  # the language of queries wants it closed
                    refused(await scene.member.get(path, q=text), 422, "query.invalid")
                else:
                    assert await scene.member.items(path, q=text) == [], text


async def test_a_forged_cursor_leads_to_nothing_that_is_others(scene: Scene) -> None:
    urls = [f"/tasks?sort={sort}&cursor={cursor}" for sort in ("title", "-due_at") for cursor in cursors(sort)]
    for url, response in (await _each(urls, await scene.asker("/tasks"))).items():
        if response.status_code == 200:
            assert {item["id"] for item in response.json()["items"]} <= scene.ids, url


def _texts(described: Described, operation: Operation) -> list[str]:
    """The fields of a body that take any text."""
    fields = described.properties(operation.body or {})
    return [
        name for name, schema in fields.items() if _is_text(described, schema) or schema.get("format") == "password"
    ]


async def test_text_in_a_body_is_kept_as_it_is_or_refused(house: House) -> None:
    described, everybody = await Described.of(house), await cast(house)
    stranger = await house.user("elsewhere")
    task = await stranger.task(SECRET_WORD)
    before = (await stranger.get("/tasks", min_position=task["position"])).json()
    tables = (await kept(house)).keys()
    tried = set()
    for operation in described.operations.values():
        for field in _texts(described, operation):
            people = await fresh(everybody, operation)
            await _try(people, operation, field, described, FEW if field in tried else TEXTS)
            tried.add(field)
    assert (await kept(house)).keys() == tables
    assert (await stranger.get("/tasks")).json() == before


async def _try(people: Cast, operation: Operation, field: str, described: Described, texts: Sequence[str]) -> None:
    """Each text in one field of an operation. What hashes passwords is asked less often: it is slow on purpose."""
    schema = described.properties(operation.body or {})
    slow = any(value.get("format") == "password" for value in schema.values())
    method, path, body = await right(people, operation)
    for text in (*(FEW[:3] if slow else texts), "a\x00b", "x" * 3_000):
        value = [text] if schema[field].get("type") == "array" else text
        response = await people["admin"].call(method, path, {**body, field: value})
        assert response.status_code < 500, (operation.id, field, text, response.text)
        assert SECRET_WORD not in response.text
        if not response.is_success:
            refused(response, response.status_code, response.json()["code"])
            assert response.status_code in (400, 401, 403, 404, 409, 422), (operation.id, field, text)
        elif response.content and field in response.json():
            shown = response.json()[field]
            assert shown == value or (field in FOLDED and shown.lower() == text.lower()), (operation.id, field)
