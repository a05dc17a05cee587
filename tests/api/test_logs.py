"""Logs: one JSON object a line, or one readable line."""

import logging
import sys
from collections.abc import Iterator

import orjson
import pytest

from api import logs


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def _record(**extra: object) -> logging.LogRecord:
    return logging.getLogger("x").makeRecord("x", logging.WARNING, "f", 1, "hello %s", ("you",), None, extra=extra)


def test_json_lines_hold_the_message_and_every_extra() -> None:
    line = logs.Json().format(_record(request_id="r", odd={1, 2}.__class__))
    entry = orjson.loads(line)
    assert entry | {"at": "", "odd": ""} == {
        "at": "",
        "level": "WARNING",
        "logger": "x",
        "message": "hello you",
        "request_id": "r",
        "odd": "",
    }
    assert entry["at"].endswith("+00:00")


def test_readable_lines_hold_the_same() -> None:
    assert logs.Readable().format(_record(request_id="r", ms=1.5))[13:] == "WARNING hello you request_id=r ms=1.5"


@pytest.mark.parametrize("formatter", [logs.Json(), logs.Readable()])
def test_a_failure_is_logged_with_its_traceback(formatter: logging.Formatter) -> None:
    record = _record()
    try:
        raise ValueError("no such luck")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: no such luck" in formatter.format(record)
    assert formatter.format(record).count("\n") == 0 or isinstance(formatter, logs.Readable)


@pytest.mark.parametrize(
    ("log_format", "terminal", "kind"),
    [
        ("auto", True, logs.Readable),
        ("auto", False, logs.Json),
        ("json", True, logs.Json),
        ("text", False, logs.Readable),
    ],
)
def test_the_format_fits_where_the_logs_go(
    monkeypatch: pytest.MonkeyPatch, log_format: str, terminal: bool, kind: type[logging.Formatter]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    logs.configure(log_format, "INFO")
    (handler,) = logging.getLogger().handlers
    assert type(handler.formatter) is kind
    assert logging.getLogger("uvicorn.error").handlers == []
    assert logging.getLogger().level == logging.INFO
