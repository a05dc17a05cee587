"""Logs: one JSON object a line for machines, one readable line on a terminal. Secrets never get here."""

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import orjson

FLUSH_SECONDS: Final = 0.1
FLUSH_LINES: Final = 64

_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def configure(log_format: str, level: str) -> None:
    """Send all logs to standard error, as `json`, as `text`, or as fits (`auto`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Readable() if is_readable(log_format) else Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Not "uvicorn.access": the middleware writes one line a request, and uvicorn a second where that one propagates.
    for name in ("uvicorn", "uvicorn.error", "psycopg", "psycopg.pool"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


class AccessLog:
    """One line a request, written several at a time: through `logging` they cost an eighth of a command."""

    def __init__(self, log_format: str, write: Callable[[str], object] | None = None) -> None:
        self._readable = is_readable(log_format)
        self._write = write or sys.stderr.write
        self._lines: list[bytes] = []

    def note(
        self,
        request_id: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        address: str = "-",
        user: str | None = None,
    ) -> None:
        """Take down a request that was answered; `user` is the id of who is known to have asked."""
        if len(self._lines) == FLUSH_LINES:  # many that wait would fill the processor's cache
            self.flush()
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        at = datetime.now(UTC)
        ms = round(seconds * 1000, 2)
        if self._readable:
            at_time = at.strftime("%H:%M:%S.%f")[:-3]
            more = f"address={address} user={user or '-'} request_id={request_id}"
            self._lines.append(f"{at_time} INFO    {method} {path!r} {status} {ms} ms {more}\n".encode())
            return
        entry = {
            "at": at,
            "level": "INFO",
            "logger": "taskfold.access",
            "message": "request",
            "request_id": request_id,
            "method": method,
            "path": path.encode("utf-8", "backslashreplace").decode(),
            "status": status,
            "ms": ms,
            "address": address,
            "user": user,
        }
        self._lines.append(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Write what was taken down."""
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"".join(lines).decode())


def is_readable(log_format: str) -> bool:
    """Whether people read this log: so it is asked for, or it goes to a terminal."""
    return log_format == "text" or (log_format == "auto" and sys.stderr.isatty())


def extras(record: logging.LogRecord) -> dict[str, object]:
    """What was passed as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _PLAIN}


class Json(logging.Formatter):
    """`{"at", "level", "logger", "message", …extras}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


class Readable(logging.Formatter):
    """`12:30:01.123 INFO  message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback where there is one."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        more = "".join(f" {key}={value}" for key, value in extras(record).items())
        line = f"{at} {record.levelname:<7} {record.getMessage()}{more}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
