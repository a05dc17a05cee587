"""An import as a job: read, check, write, join. Each step leaves rows, so whoever takes it up goes on from there."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final

from commands.event_store import Pool
from commands.execute import Call, Executor
from commands.import_check import ImportChecker
from commands.import_names import ImportNames, TeamsByName
from commands.import_read import Contents, ImportReader, Source
from commands.import_rows import ImportRows, problem_of
from commands.import_write import ImportWriter
from commands.jobs import Jobs, LeaseLost, Taken
from commands.streams import Streams
from domain.errors import Invalid, Rejection, Unavailable
from domain.import_file import FileFormat
from domain.job import JobState, OnError

SAID_SECONDS: Final = 0.5  # between two words on how it stands


class ImportJob:
    """Does one import."""

    def __init__(
        self, pool: Pool, jobs: Jobs, executor: Executor, streams: Streams, teams: TeamsByName, taken: Taken
    ) -> None:
        self._jobs = jobs
        self._executor = executor
        self._streams = streams
        self._taken = taken
        self._rows = ImportRows(pool, taken)
        self._names = ImportNames(pool, streams, taken.workspace_id, taken.owner_id, teams)
        self._said_at = 0.0
        self._ignored = taken.counts.get("ignored", 0)

    async def run(self) -> None:
        """To its end. Raises `LeaseLost`; `Unavailable` and errors of the database, after which it can be taken up."""
        try:
            if self._taken.state != JobState.RUNNING and not await self._is_right():
                return
            await self._write()
        except LeaseLost:
            await self._jobs.count_cancelled(self._taken, await self._counts())
            raise
        except Unavailable:
            raise
        except Rejection as refusal:
            await self._end(JobState.FAILED, problem_of(refusal))

    async def _is_right(self) -> bool:
        """Read the file and check it; whether it is to be written."""
        input_ = self._taken.input
        await self._say(JobState.CHECKING, "reading", 0, input_["size"])
        await self._rows.clear()
        source = _source(input_)
        contents = await self._read(source)
        self._ignored, total = contents.ignored, len(contents.own) + len(contents.refused)
        await self._say(JobState.CHECKING, "checking", 0, total)
        checker = ImportChecker(
            self._taken.workspace_id, self._taken.owner_id, source.name, self._rows, self._streams, contents
        )
        await checker.check(lambda done: self._now_and_then(JobState.CHECKING, "checking", done, total))
        await self._jobs.count(self._taken, {"ignored": self._ignored})
        wrong = len(contents.refused)
        if input_["dry_run"]:
            await self._end(JobState.DONE)
            return False
        if wrong and input_["on_error"] == OnError.STOP:
            detail = f"{wrong} of {total} lines are wrong, and nothing was written; see the report"
            await self._end(JobState.FAILED, problem_of(Invalid("import.lines_refused", "/", detail)))
            return False
        return True

    async def _read(self, source: Source) -> Contents:
        reader = ImportReader(self._taken.workspace_id, self._taken.owner_id, source, self._rows, self._names)
        size = self._taken.input["size"]
        return await reader.read(
            self._pieces(), lambda done: self._now_and_then(JobState.CHECKING, "reading", done, size)
        )

    async def _write(self) -> None:
        waiting, total = await self._rows.to_come()
        await self._say(JobState.RUNNING, "writing", total - waiting, total)
        call = Call(self._taken.workspace_id, self._taken.owner_id, self._taken.id)
        held = partial(self._jobs.check, self._taken)
        writer = ImportWriter(call, self._rows, self._streams, self._executor, held, self._taken.position)
        await writer.write(
            total - waiting,
            lambda done: self._now_and_then(JobState.RUNNING, "writing", done, total, writer.position),
        )
        await self._say(JobState.RUNNING, "joining", total, total, writer.position)
        await self._rows.tell_apart()
        await writer.join(lambda: self._now_and_then(JobState.RUNNING, "joining", total, total, writer.position))
        await self._say(JobState.RUNNING, "joining", total, total, writer.position)
        await self._end(JobState.DONE)

    async def _pieces(self) -> AsyncIterator[bytes]:
        n = 1
        while (data := await self._jobs.bytes_of(self._taken.workspace_id, self._taken.id, n)) is not None:
            yield data
            n += 1

    async def _now_and_then(self, state: JobState, phase: str, done: int, total: int, position: int = 0) -> None:
        if monotonic() - self._said_at >= SAID_SECONDS:
            await self._say(state, phase, done, total, position)

    async def _say(self, state: JobState, phase: str, done: int, total: int, position: int = 0) -> None:
        self._said_at = monotonic()
        await self._jobs.progress(self._taken, state, phase, min(done, total), total, position)

    async def _end(self, state: JobState, problem: Mapping[str, Any] | None = None) -> None:
        await self._jobs.end(self._taken, state, await self._counts(), problem)

    async def _counts(self) -> dict[str, int]:
        return {**await self._rows.counts(), "ignored": self._ignored}


def _source(input_: Mapping[str, Any]) -> Source:
    return Source(FileFormat(input_["format"]), input_["source"], input_["project_id"], input_["mapping"])
