"""Raw connections to the program, for what no HTTP client would send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from tests.house import House


@dataclass
class Raw:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, *lines: str, body: bytes = b"") -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)

    async def answer(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """The status, the header fields, and the document of the one answer before the end of the connection."""
        async with asyncio.timeout(20):
            head, _, body = (await self.reader.read()).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        assert int(fields["content-length"]) == len(body)
        return int(first.split()[1]), fields, orjson.loads(body)


@asynccontextmanager
async def raw(house: House) -> AsyncIterator[Raw]:
    host, port = house.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
