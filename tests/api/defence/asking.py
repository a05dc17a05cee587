"""Clients at addresses of their own: the tests' proxy says where they are."""

from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from tests.house import PASSWORD, House

PROXIED: dict[str, Any] = {"trusted_proxies": "127.0.0.0/8", "projecting": False}
_random = Random(uuid4().int)
_names = count(1)


def address() -> str:
    """An address in a network that no other test uses: all tests of a run share one Redis."""
    return f"{_random.randint(11, 126)}.{_random.randint(0, 255)}.{_random.randint(0, 255)}.{_random.randint(1, 250)}"


def beside(other: str) -> str:
    """Another address in the same network."""
    network, _, last = other.rpartition(".")
    return f"{network}.{int(last) % 250 + 1}"


def email() -> str:
    """Nobody's address yet."""
    return f"somebody{next(_names)}-{uuid4().hex[:8]}@example.com"


async def post(house: House, path: str, body: dict[str, Any], at: str) -> httpx.Response:
    return await house.http.post(path, json=body, headers={"X-Forwarded-For": at})


async def log_in(house: House, who: str, at: str, password: str = PASSWORD) -> httpx.Response:
    return await post(house, "/auth/login", {"email": who, "password": password}, at)


async def register(house: House, who: str, at: str) -> httpx.Response:
    return await post(house, "/auth/register", {"email": who, "password": PASSWORD, "display_name": "x"}, at)


async def statuses(house: House, times: int, who: str, at: str, password: str = "wrong") -> list[int]:
    return [(await log_in(house, who, at, password)).status_code for _ in range(times)]
