"""The frames of the sockets, server to client, as they go on the wire: encoded once, however many sockets get them."""

from functools import lru_cache
from typing import Final

import orjson

from domain.messages import TaskChange

TEXT: Final = 0x81  # one whole text frame (RFC 6455 §5.2); what a server sends is not masked


def frame(payload: bytes) -> bytes:
    """A text frame with this payload, which is UTF-8."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((TEXT, 126)) + size.to_bytes(2) + payload
    return bytes((TEXT, 127)) + size.to_bytes(8) + payload


def upsert(change: TaskChange) -> bytes:
    """The task as it is at this position."""
    head = f'{{"type":"change","op":"upsert","position":{change.position},"task_id":"{change.task_id}","task":'
    return frame(b"".join((head.encode(), bytes(change.task), b"}")))


def removed(change: TaskChange) -> bytes:
    """The task is no longer there for this client."""
    return frame(
        f'{{"type":"change","op":"removed","position":{change.position},"task_id":"{change.task_id}"}}'.encode()
    )


def of_task(what: str, change: TaskChange) -> bytes:
    """What a change of a task is to those who saw it or see it: `upsert` or `removed`."""
    return upsert(change) if what == "upsert" else removed(change)


def ready(_: str, change: TaskChange) -> bytes:
    """A change that is a whole frame already, and the same to all who get it."""
    return frame(bytes(change.task))


@lru_cache(maxsize=1024)
def through(position: int, conflated: int = 0) -> bytes:
    """Everything up to this position has been sent, but for so many changes that a later one of the task replaced."""
    more = f',"conflated":{conflated}' if conflated else ""
    return frame(f'{{"type":"through","position":{position}{more}}}'.encode())


def hello(epoch: str, position: int) -> bytes:
    """The first frame: the epoch of the log, and the position from which on changes are live."""
    return frame(orjson.dumps({"type": "hello", "epoch": epoch, "position": position}))


def resync(reason: str) -> bytes:
    """What the client knows is no longer a base to go on from: read the lists again."""
    return frame(orjson.dumps({"type": "resync", "reason": reason}))


def restart(reason: str, epoch: str, position: int) -> bytes:
    """The log has become another one under an open socket: what `hello` said is void, this is true instead."""
    return frame(orjson.dumps({"type": "resync", "reason": reason, "epoch": epoch, "position": position}))


PING: Final = frame(b'{"type":"ping"}')
