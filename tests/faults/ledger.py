"""What clients remember: each command that they sent, under its key, and every answer that they got."""

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from bench.wire import Answered


class Answer(NamedTuple):
    """A final answer to a command. `body` holds its bytes; of a refusal only the code."""

    status: int
    stream_id: str | None
    version: int | None
    position: int | None
    replayed: bool
    body: bytes


@dataclass(slots=True, eq=False)
class Entry:
    """One command of one user. `answers` has more than one when it was sent again after an answer.

    `sent` and `acknowledged` are moments of the run's own clock, which counts what clients do: the first attempt, and
    the first answer that said that the command took effect. `twins`: it was sent twice at the same time. `atomic` is
    None but where it was sent as a batch of one.
    """

    key: str
    user_id: str
    method: str
    path: str
    body: bytes = b""
    if_match: str | None = None
    twins: bool = False
    atomic: bool | None = None
    attempts: int = 0
    sent: int = 0
    acknowledged: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def receipt(self) -> Answer | None:
        """The first answer that says that it took effect. (What was refused may be sent again, and is decided anew.)"""
        for answer in self.answers:
            if answer.status < 300:
                return answer
        return None

    @property
    def all_answered(self) -> bool:
        """Whether the outcome of each attempt is known. One that got no answer may take effect after a later one was
        refused: what is refused keeps no key, and each attempt is decided for itself.
        """
        return self.attempts == len(self.answers)

    @property
    def is_of_a_task(self) -> bool:
        """Whether its answer is the task as it was then. (A profile is outside the log, and is as it is now.)"""
        return self.path.startswith("/tasks")

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body.decode()} key {self.key}"


class Named(msgspec.Struct):
    """Whose answer a body is."""

    id: str


class Problem(msgspec.Struct):
    """What a refusal says to a program."""

    code: str


id_of = msgspec.json.Decoder(Named).decode
code_of = msgspec.json.Decoder(Problem).decode


class Texts:
    """Holds each text once, however many clients got it."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def one(self, text: bytes) -> bytes:
        """The same bytes, held once."""
        return self._known.setdefault(text, text)


def read_answer(answered: Answered, texts: Texts) -> Answer:
    """The answer in a response. Raises `msgspec.MsgspecError` or `TypeError` for one that is not as it should be."""
    replayed = answered.header(b"idempotency-replayed") == b"true"
    if answered.status >= 300:
        return Answer(answered.status, None, None, None, replayed, code_of(answered.body).code.encode())
    version, position = answered.header(b"etag"), answered.header(b"taskfold-position")
    assert version is not None
    assert position is not None
    return Answer(
        answered.status,
        id_of(answered.body).id,
        int(version.strip(b'"')),
        int(position),
        replayed,
        texts.one(answered.body),
    )
