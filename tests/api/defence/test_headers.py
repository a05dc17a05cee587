"""What every answer says to browsers, and which pages may call."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator

import pytest

from api.defence.headers import Fixed
from tests.house import Database, House, Servers, refused

PAGE = "https://tasks.example"


@pytest.fixture
async def shown(database: Database, servers: Servers) -> AsyncIterator[House]:
    async with House.open(database, servers, cors_origins=PAGE, hsts="on", projecting=False) as house:
        yield house


async def test_every_answer_tells_browsers_to_be_careful(house: House) -> None:
    ada = await house.user()
    answers = [
        await ada.get("/users/profile"),
        await ada.post("/tasks", {"title": "a"}),
        await ada.post("/tasks", {"title": ""}),
        await house.http.get("/nothing"),
        await house.http.options("/tasks"),
        await house.http.get(f"{house.base}/healthz"),
        await house.http.get(f"{house.base}/docs"),
        await house.http.get(f"{house.base}/openapi.json"),
    ]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert len(answer.headers.get_list("Content-Security-Policy")) == 1
        assert "Strict-Transport-Security" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Server" not in answer.headers
    assert [answer.headers.get("Cache-Control") for answer in answers] == ["no-store"] * 6 + [None] * 2
    public = await house.http.get(f"{house.base}/.well-known/jwks.json")
    assert public.headers.get("Cache-Control") != "no-store"


async def test_tokens_are_never_kept_by_caches(house: House) -> None:
    body = {"email": "a@example.com", "password": "correct horse", "display_name": "x"}
    answer = await house.http.post("/auth/register", json=body)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")


async def test_swagger_ui_may_load_and_run_what_its_page_names_and_nothing_else(house: House) -> None:
    response = await house.http.get(f"{house.base}/docs")
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in policy["script-src"]
    inline = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    assert len(inline) == 1
    for script in inline:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy["script-src"]
    for pattern, kind in (
        (r'<script src="(https://[^/"]+)', "script-src"),
        (r'href="(https://[^/"]+)[^"]*css"', "style-src"),
    ):
        found = re.findall(pattern, response.text)
        assert found
        assert all(origin in policy[kind].split() for origin in found)
    assert policy["connect-src"] == "'self'"


async def test_https_is_asked_for_where_it_is_set_or_spoken(shown: House) -> None:
    answer = await shown.http.get(f"{shown.base}/healthz")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    for hsts in (True, False):
        assert Fixed(b"x", hsts=hsts).of("/", "https").count(b"strict-transport-security") == 1
    assert b"strict-transport-security" not in Fixed(b"x", hsts=False).of("/", "http")


# -------------------------------------------------------------------------------------------------------------- CORS


async def test_without_origins_no_page_may_call(house: House) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    refused(await house.http.options("/tasks", headers=asked), 405, "route.method_not_allowed")
    answer = await house.http.get(f"{house.base}/healthz", headers={"Origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/tasks", "/nothing", "/auth/login"])
async def test_a_page_of_a_named_origin_gets_leave(shown: House, path: str) -> None:
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "Authorization, content-type, If-Match,idempotency-key",
    }
    answer = await shown.http.options(path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "if-match" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example", "GET", ""),
        (f"{PAGE}.evil.example", "GET", ""),
        (f"{PAGE}:8443", "GET", ""),
        ("http://tasks.example", "GET", ""),
        ("HTTPS://TASKS.EXAMPLE", "GET", ""),
        ("null", "GET", ""),
        ("\xff", "GET", ""),
        (PAGE, "TRACE", ""),
        (PAGE, "get", ""),
        (PAGE, "GET", "x-forwarded-for"),
        (PAGE, "GET", "authorization, x-other"),
    ],
)
async def test_other_leave_is_refused_as_a_problem(shown: House, origin: str, method: str, headers: str) -> None:
    asked = [
        (b"Origin", origin.encode("latin-1")),
        (b"Access-Control-Request-Method", method.encode()),
        (b"Access-Control-Request-Headers", headers.encode()),
    ]
    answer = await shown.http.options("/tasks", headers=asked)
    refused(answer, 403, "cors.refused")
    assert answer.headers["Vary"] == "Origin"
    if origin != PAGE:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_problems_can_be_read_by_pages_of_a_named_origin(shown: House) -> None:
    for path, status in (("/tasks", 401), ("/nothing", 404)):
        answer = await shown.http.get(path, headers={"Origin": PAGE})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert {"RateLimit", "Retry-After"} <= {*answer.headers["Access-Control-Expose-Headers"].split(", ")}
        other = await shown.http.get(path, headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        assert other.headers["Vary"] == (await shown.http.get(path)).headers["Vary"] == "Origin"
