"""Logs: one JSON object a line for machines, one readable line on a terminal. Secrets never get here."""

import logging
import sys
from datetime import UTC, datetime
from typing import Final

import orjson

_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def configure(log_format: str, level: str) -> None:
    """Send all logs to standard error, as `json`, as `text`, or as fits (`auto`)."""
    readable = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Readable() if readable else Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Not "uvicorn.access": the middleware writes one line a request, and uvicorn a second where that one propagates.
    for name in ("uvicorn", "uvicorn.error", "psycopg", "psycopg.pool"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


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
