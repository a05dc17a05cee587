"""The limit: the same rows through COPY, in one transaction."""

from itertools import count
from time import perf_counter
from typing import Final

import psycopg

from bench.servers import Database
from bench.subject import CREATED
from commands.ids import new_id
from domain.events import Meta, encode

CHUNK: Final = 500

_positions = count(1)


def copy(database: Database, rows: int) -> float:
    """Rows a second, the commit included. The rows are made beforehand: the server is measured, not Python."""
    chunks = _chunks(database.workspace_id, rows)
    with psycopg.connect(database.serving_url) as connection:
        started = perf_counter()
        with connection.cursor().copy("COPY copied FROM STDIN") as stream:
            for chunk in chunks:
                stream.write(chunk)
        connection.commit()
        return rows / (perf_counter() - started)


def _chunks(workspace_id: str, rows: int) -> list[bytes]:
    meta = encode(Meta(actor=workspace_id, correlation_id=workspace_id, causation_id=workspace_id)).decode()
    digest, salt, data = "\\\\x" + "64" * 32, "\\\\x" + "73" * 16, encode(CREATED).decode()
    now = "2026-01-01T00:00:00.000000Z"
    lines = [
        "\t".join(
            (workspace_id, str(next(_positions)), new_id(), "1\t1", now, "task.created", digest, salt, meta, data)
        )
        + "\n"
        for _ in range(rows)
    ]
    return ["".join(lines[at : at + CHUNK]).encode() for at in range(0, rows, CHUNK)]
