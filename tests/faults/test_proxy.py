"""The proxy: each fault does what its name says, to the connections that it was meant for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import Mode, Proxy
from tests.house import until


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data.upper())
    writer.close()


@asynccontextmanager
async def way(seed: str = "") -> AsyncIterator[Proxy]:
    """A proxy before a server that answers in capitals."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Proxy(f"tcp://user:secret@127.0.0.1:{port}/0", seed) as proxy:  # pragma: allowlist secret
        yield proxy


class Client:
    """A connection by way of a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, proxy: Proxy) -> "Client":
        port = int(proxy.url.rpartition(":")[2].partition("/")[0])
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        async with asyncio.timeout(10):
            return await self.reader.readexactly(len(text))


async def test_it_hands_on_every_byte_in_both_directions() -> None:
    async with way() as proxy:
        client = await Client.to(proxy)
        assert await client.ask(b"some words") == b"SOME WORDS"
        assert proxy.url.startswith("tcp://user:secret@127.0.0.1:")  # pragma: allowlist secret
        assert proxy.hits == 0


async def test_a_cut_resets_the_connection_and_the_next_one_is_whole() -> None:
    async with way() as proxy:
        client = await Client.to(proxy)
        await client.ask(b"first")
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        assert await (await Client.to(proxy)).ask(b"second") == b"SECOND"


async def test_a_cut_can_be_for_some_connections_alone() -> None:
    async with way() as proxy:
        one, other = await Client.to(proxy), await Client.to(proxy)
        await one.ask(b"one")
        await other.ask(b"other")
        assert proxy.cut(only=lambda link: b"one" in link.asked) == 1
        assert await other.ask(b"again") == b"AGAIN"
        with pytest.raises(ConnectionResetError):
            await one.reader.read()


async def test_a_half_open_connection_stays_and_its_bytes_vanish_for_good() -> None:
    async with way() as proxy:
        client = await Client.to(proxy)
        await client.ask(b"first")
        assert proxy.set(Mode.HALF_OPEN) == 1
        client.writer.write(b"lost")
        (link,) = proxy.links
        await until(lambda: b"lost" in link.asked)
        proxy.heal()
        client.writer.write(b"lost too")
        await until(lambda: b"lost too" in link.asked)
        assert not client.reader.at_eof()
        assert await (await Client.to(proxy)).ask(b"second") == b"SECOND"
        client.writer.close()


async def test_drip_and_delay_keep_bytes_and_order() -> None:
    async with way() as proxy:
        client = await Client.to(proxy)
        await client.ask(b"first")
        text = bytes(range(32, 96)) * 20
        for mode in (Mode.DRIP, Mode.DELAY):
            assert proxy.set(mode, seconds=0.001) == 1
            assert await client.ask(text) == text.upper()


async def test_it_refuses_new_connections_and_leaves_the_others_alone() -> None:
    async with way() as proxy:
        client = await Client.to(proxy)
        await client.ask(b"first")
        proxy.set(Mode.REFUSE)
        refused = await Client.to(proxy)
        with pytest.raises(ConnectionResetError):
            await refused.reader.read()
        assert await client.ask(b"second") == b"SECOND"
        proxy.heal()
        assert await (await Client.to(proxy)).ask(b"third") == b"THIRD"


async def test_the_answer_to_a_marked_request_does_not_arrive() -> None:
    async with way() as proxy:
        proxy.on_request(b"marked", Mode.CUT_AT_ANSWER)
        client = await Client.to(proxy)
        assert await client.ask(b"first") == b"FIRST"
        client.writer.write(b"marked")
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        assert proxy.hits == 1


async def test_the_same_seed_chooses_the_same_connections() -> None:
    async def chosen(seed: str) -> list[bool]:
        """Of twelve connections, one after the other, which are taken."""
        async with way(seed) as proxy:
            proxy.set(Mode.DEAF, share=0.5)
            clients: list[Client] = []
            taken: list[bool] = []
            for number in range(12):
                clients.append(await Client.to(proxy))
                await until(lambda: len(proxy.links) == len(clients))
                taken.append(proxy.hits > sum(taken[:number]))
            return taken

    assert await chosen("a seed") == await chosen("a seed")
    assert 0 < sum(await chosen("a seed")) < 12
