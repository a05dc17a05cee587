"""A board over HTTP: one API process, people with accounts, and one caller over one connection."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import Final, Self

import msgspec

from bench.board_filling import Board
from bench.servers import Servers
from bench.wire import Answered, Wire, get, opened
from commands.passwords import Passwords

PASSWORD: Final = "correct horse battery"  # pragma: allowlist secret


@contextmanager
def served(servers: Servers, board: Board) -> Iterator[int]:
    """An API process for the board. Gives its port."""
    environment = {**servers.environment(board.database), "TASKFOLD_ACCESS_TOKEN_SECONDS": "7200"}
    with servers.web(f"board-{board.tasks}-serve", ["api.cli", "serve"], environment) as port:
        yield port


async def let_in(board: Board, people: list[str]) -> None:
    """Give those whose joining the log tells of the accounts to come in by."""
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    with board.database.owner() as owner:
        for person in people:
            owner.execute(
                """
                INSERT INTO accounts (workspace_id, user_id, email, display_name, password_hash)
                VALUES (%s, %s, %s, 'Bench', %s)
                """,
                (board.database.workspace_id, person, _email(person), hashed),
            )


class Caller:
    """One who asks, and waits for the answer before they ask again."""

    def __init__(self) -> None:
        self._wire: Wire
        self._answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int) -> AsyncIterator[Self]:
        """With a connection of their own."""
        caller = cls()
        (caller._wire,) = await opened(1, port, caller._answered, caller._lost)
        try:
            yield caller
        finally:
            caller._answer.cancel()
            caller._wire.close()

    async def log_in(self, person: str) -> str:
        """The token of one of those who were let in."""
        body = msgspec.json.encode({"email": _email(person), "password": PASSWORD, "workspace": "bench"})
        head = (
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return str(msgspec.json.decode((await self._ask(head.encode() + body)).body)["access_token"])

    async def milliseconds(self, path: str, token: str) -> float:
        """Until a page is there."""
        request = get(path, token)
        began = perf_counter()
        await self._ask(request)
        return (perf_counter() - began) * 1000

    async def _ask(self, request: bytes) -> Answered:
        self._answer = asyncio.get_running_loop().create_future()
        self._wire.send(request)
        answered = await self._answer
        if answered.status != 200:
            raise RuntimeError(f"{request[:300]!r} was answered {answered.status}: {answered.body[:300]!r}")
        return answered

    def _answered(self, _wire: Wire, answered: Answered) -> None:
        self._answer.set_result(answered)

    def _lost(self) -> None:
        if not self._answer.done():
            self._answer.set_exception(RuntimeError("a connection was closed"))


def _email(person: str) -> str:
    return f"{person}@example.com"
