"""Batches, as tests send them."""

from typing import Any

import httpx

from tests.house import Client


async def send(client: Client, *commands: dict[str, Any], **more: Any) -> httpx.Response:
    headers = {name: more.pop(name) for name in ("idempotency_key",) if name in more}
    return await client.post("/commands", {"commands": list(commands), **more}, **headers)


async def sent(client: Client, *commands: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The verdicts."""
    answer = await send(client, *commands, **more)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    outcomes = [verdict["outcome"] for verdict in body["verdicts"]]
    assert [verdict["id"] for verdict in body["verdicts"]] == [command["id"] for command in commands]
    assert {name: body[name] for name in ("done", "refused", "not_done", "would_do")} == {
        name: outcomes.count(name) for name in ("done", "refused", "not_done", "would_do")
    }
    assert body["position"] == int(answer.headers["taskfold-position"])
    verdicts: list[dict[str, Any]] = body["verdicts"]
    return verdicts


def command(id_: str, type_: str, target: str | None = None, **data: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "data": data, **({} if target is None else {"target": target})}
