"""Commands that go as batches of one: what is sent, what is answered, and what is kept."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import orjson

from bench.wire import Answered
from commands.batch import key_of
from tests.faults.ledger import Entry
from tests.faults.recording import KeyRow

VERBS: Final = {"PUT": "replace", "PATCH": "edit", "DELETE": "delete"}


class Verdict(msgspec.Struct):
    """On one command."""

    status: int
    version: int | None = None
    position: int | None = None
    body: msgspec.Raw = msgspec.Raw()
    problem: msgspec.Raw = msgspec.Raw()


class Batch(msgspec.Struct):
    """An answer to a batch."""

    verdicts: list[Verdict]


_decode: Final = msgspec.json.Decoder(Batch).decode


def body_of(entry: Entry) -> bytes | None:
    """A batch of this command alone; None where it cannot go so."""
    _, noun, *parts = entry.path.split("/")
    try:
        data = orjson.loads(entry.body or b"{}")
    except orjson.JSONDecodeError:
        return None
    if noun != "tasks":
        return None
    verb = "create" if not parts else parts[1] if len(parts) > 1 else VERBS[entry.method]
    command: dict[str, Any] = {"id": "one", "type": f"task.{verb}", "data": data}
    if parts:
        command["target"] = parts[0]
    if entry.if_match is not None:
        command["if_match"] = entry.if_match
    return orjson.dumps({"commands": [command], "atomic": entry.atomic})


def unwrapped(answered: Answered) -> Answered:
    """The answer to the only command of a batch, as its own route gives it."""
    if answered.status != 200:
        return answered
    [verdict] = _decode(answered.body).verdicts
    head = answered.head + b"\r\nretry-after: 1\r\n"
    if verdict.version is not None and verdict.position is not None:
        head = b'\r\netag: "%d"\r\ntaskfold-position: %d\r\n' % (verdict.version, verdict.position) + head
    return Answered(verdict.status, head, bytes(verdict.body or verdict.problem))


def keys_of_commands(rows: Iterable[KeyRow], ledger: Iterable[Entry]) -> Iterator[KeyRow]:
    """The rows of commands, under the keys that clients sent. That of a batch itself says nothing of its command."""
    batches = {(entry.user_id, entry.key) for entry in ledger if entry.atomic is not None}
    sent = {key_of(key, 0): key for _, key in batches}
    for row in rows:
        if (row.principal, row.key) not in batches:
            yield row._replace(key=sent.get(row.key, row.key))
