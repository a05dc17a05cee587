"""What clients remember: each command that they sent, under its key, and every answer that they got."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx


class Answer(NamedTuple):
    """A final answer to a command."""

    status: int
    stream_id: str | None
    version: int | None
    position: int | None
    replayed: bool
    body: Any


@dataclass
class Entry:
    """One command of one user. `answers` has more than one when it was sent again after an answer."""

    key: str
    user_id: str
    method: str
    path: str
    json: Any
    if_match: str | None = None
    attempts: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def receipt(self) -> Answer | None:
        """The first answer that says that it took effect. (What was refused may be sent again, and is decided anew.)"""
        return next((answer for answer in self.answers if answer.status < 300), None)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.json} key {self.key}"


def read_answer(response: httpx.Response) -> Answer:
    """The answer in a response; of a refusal only its code."""
    body = response.json()
    replayed = response.headers.get("Idempotency-Replayed") == "true"
    if response.status_code >= 300:
        return Answer(response.status_code, None, None, None, replayed, body["code"])
    version = int(response.headers["ETag"].strip('"'))
    position = int(response.headers["Taskfold-Position"])
    return Answer(response.status_code, body["id"], version, position, replayed, body)
