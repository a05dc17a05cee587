"""The page that Prometheus reads: who may see it, what is on it, and how it is written."""

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from api.metrics.process import LoopWatch, Standard
from api.metrics.reading import Behind
from api.metrics.shared import SharedFiles

SHARE_SECONDS: Final = 1.0

log: Final = logging.getLogger(__name__)

Source = Callable[[], Iterable[Metric]]


class Rendered(NamedTuple):
    """The page in the format that was asked for."""

    body: bytes
    media_type: str


class _Families(Collector):
    """Sources, as the client library takes them."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from source()


class Page:
    """The metrics of a process, or of all that share its port when they have a `directory` for it.

    `sources` are read when somebody asks, never before. `behind` is what is asked of PostgreSQL, by whoever answers.
    With a `token` only who sends it may see the page.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        behind: Behind | None = None,
        directory: str | None = None,
        token: str | None = None,
    ) -> None:
        self._loop = LoopWatch()
        self._own = _Families([Standard().collect, self._loop.collect, *sources])
        self._behind = behind
        self._token = token
        self._shared = None if directory is None else SharedFiles(directory)
        self._registry = CollectorRegistry()
        self._registry.register(self._own if self._shared is None else self._shared.collector)
        if behind is not None:
            self._registry.register(_Families([behind.collect]))
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to measure, and to share."""
        self._tasks = [asyncio.create_task(self._loop.run())]
        if self._shared is not None:
            self._tasks.append(asyncio.create_task(self._share(self._shared)))

    async def stop(self) -> None:
        """Leave the last numbers to those who share them, and end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._shared is not None:
            with contextlib.suppress(OSError):  # the directory may have gone already
                self._shared.write(self._own.collect())
                self._shared.close()

    def forget(self) -> None:
        """Ask PostgreSQL again the next time, however fresh what is known."""
        if self._behind is not None:
            self._behind.forget()

    def allows(self, authorization: str | None) -> bool:
        """Whether who sends this Authorization header may see the page."""
        if self._token is None:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token.encode())

    async def render(self, accept: str | None) -> Rendered:
        """The page as it is now: OpenMetrics for those who accept it, else the text format."""
        if self._behind is not None:
            await self._behind.look()
        if self._shared is not None:
            self._shared.write(self._own.collect())
            self._shared.bury()
        encode, media_type = choose_encoder(accept or "")
        return Rendered(encode(self._registry), media_type)

    async def _share(self, shared: SharedFiles) -> None:
        while True:
            try:
                for family in self._own.collect():
                    shared.write([family])
                    await asyncio.sleep(0)  # commands go first
            except OSError as error:
                log.warning("metrics are not shared", extra={"error": str(error)})
            await asyncio.sleep(SHARE_SECONDS)
