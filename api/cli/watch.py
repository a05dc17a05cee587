"""`taskfold watch`: a small socket client that shows every change, and resumes after any cut."""

import asyncio
import contextlib
import os
from typing import Any
from urllib.parse import urlencode

import click
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from api.cli import fail


@click.command()
@click.option("--url", default="ws://127.0.0.1:8000/ws/tasks", show_default=True)
@click.option("--token", envvar="TOKEN", help="An access token; default: the variable TOKEN.")
@click.option("--after", type=click.IntRange(0), help="Begin after this position instead of now.")
@click.option("--json", "raw", is_flag=True, help="Print the frames as they come.")
def watch(url: str, token: str | None, after: int | None, raw: bool) -> None:
    """Show every change live. Ends with Ctrl-C; comes back by itself after a cut, where it was."""
    token = token or os.environ.get("TOKEN")
    if not token:
        return fail("give a token with --token or in the variable TOKEN")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(url, token, after, raw))
    return None


async def _watch(url: str, token: str, after: int | None, raw: bool) -> None:
    place: dict[str, Any] = {} if after is None else {"after": after}
    while True:
        try:
            await _follow(url, token, place, raw)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            if code in (1008, 4401, 4403):
                return fail(f"the server closed the socket: {code} {closed.rcvd.reason if closed.rcvd else ''}")
            click.echo(f"cut ({code}), resuming after {place.get('after', 'now')}", err=True)
        except (OSError, InvalidHandshake, WebSocketException) as error:
            click.echo(f"not connected ({error}), trying again", err=True)
        await asyncio.sleep(1.0)


async def _follow(url: str, token: str, place: dict[str, Any], raw: bool) -> None:
    address = f"{url}?{urlencode(place)}" if place else url
    begun = 0
    async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}, compression=None) as socket:
        async for text in socket:
            frame = orjson.loads(text)
            if raw:
                click.echo(text)
            elif (line := readable(frame)) is not None:
                click.echo(line)
            if frame["type"] == "ping":
                await socket.send('{"type":"pong"}')
            if frame["type"] == "hello":
                place["epoch"] = frame["epoch"]
                place.setdefault("after", frame["position"])
                begun = frame["position"]
            if frame["type"] == "resync":
                begun = frame.get("position", begun)
                place["epoch"] = frame.get("epoch", place["epoch"])
                place["after"] = begun  # what came before is to be read from the lists
            if frame["type"] == "through":
                place["after"] = frame["position"]


def readable(frame: dict[str, Any]) -> str | None:
    """A frame in one line; None for those that say nothing to a person."""
    match frame:
        case {"type": "hello"}:
            return f"connected at position {frame['position']}"
        case {"type": "change", "op": "upsert", "task": task}:
            return f"{frame['position']:>8}  {task['status']:<12} {task['title']}  ({task['id']} v{task['version']})"
        case {"type": "change", "op": "removed"}:
            return f"{frame['position']:>8}  removed      ({frame['task_id']})"
        case {"type": "resync"}:
            return f"resync: {frame['reason']}; read the lists again"
        case _:
            return None
