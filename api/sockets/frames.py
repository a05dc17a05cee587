"""The frames of `/ws/tasks`, server to client. Each change is encoded once, however many sockets get it."""

from functools import lru_cache

import orjson

from domain.messages import TaskChange


def upsert(change: TaskChange) -> str:
    """The task as it is at this position."""
    head = f'{{"type":"change","op":"upsert","position":{change.position},"task_id":"{change.task_id}","task":'
    return head + bytes(change.task).decode() + "}"


def removed(position: int, task_id: str) -> str:
    """The task is no longer there for this client."""
    return f'{{"type":"change","op":"removed","position":{position},"task_id":"{task_id}"}}'


@lru_cache(maxsize=1024)
def through(position: int) -> str:
    """Everything up to this position has been sent."""
    return f'{{"type":"through","position":{position}}}'


def hello(epoch: str, position: int) -> str:
    """The first frame: the epoch of the log, and the position from which on changes are live."""
    return orjson.dumps({"type": "hello", "epoch": epoch, "position": position}).decode()


def resync(reason: str) -> str:
    """What the client knows is no longer a base to go on from: read the lists again."""
    return orjson.dumps({"type": "resync", "reason": reason}).decode()


PING = '{"type":"ping"}'
