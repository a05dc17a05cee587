"""Exports: everything of a list, and nothing else, at one position."""

import csv
import io
from typing import Any

import httpx
import msgspec
import pytest

from domain.exchange import HEADER, Line, values_of
from tests.house import Client, House, position_of, refused


async def export(client: Client, **query: Any) -> httpx.Response:
    response = await client.get("/tasks/export", **query)
    assert response.status_code == 200, response.text
    return response


def rows(response: httpx.Response) -> list[dict[str, Any]]:
    """The records of a CSV, as who reads it by the page gets them."""
    return [values_of(record) for record in csv.DictReader(io.StringIO(response.text, newline=""))]


def lines(response: httpx.Response) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in response.content.splitlines()]


async def test_a(house: House) -> None:
    ada = await house.user()
    for n in range(3):
        last = await ada.task(f"=task {n}", description="a;=b\n- c", tags=["a;b", "-x"])
    response = await export(ada, format="csv", min_position=last["position"])
    print(response.text, response.headers)
    for r in rows(response): print(r)
    response = await export(ada, format="jsonl")
    print(response.text, response.headers)
    print(lines(response))
