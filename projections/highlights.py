"""Highlights: where the words of a search stand in what it found, as pieces of text with the places of the words.

The text is as people wrote it, and the places are numbers: how they are shown, and what has to be escaped for it, is
for who shows them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from projections.database import Connection

PIECES: Final = 3  # of one text
AROUND: Final = 60  # characters before and after a word
COMMENTS: Final = 3  # of one task

_LEXEME: Final = re.compile(r"'((?:[^']|'')*)'(:\*?)?")


class Highlight(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a field, and the words in it: pairs of where one begins and where it ends, in characters."""

    field: str
    text: str
    marks: list[tuple[int, int]]
    comment_id: str | None = None


def pattern_of(words: str) -> re.Pattern[str] | None:
    """What the words of a `tsquery` look like in a text; None where there are none."""
    found = {(text.replace("''", "'").replace("\\\\", "\\"), mark) for text, mark in _LEXEME.findall(words)}
    if not found:
        return None
    longest_first = sorted(found, key=lambda each: (-len(each[0]), each))
    either = "|".join(re.escape(text) + (r"\w*" if mark.endswith("*") else "") for text, mark in longest_first)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def of_task(task: Mapping[str, Any], pattern: re.Pattern[str]) -> Iterator[Highlight]:
    """Those in a task's own texts: whole titles, keys and tags, and pieces of the description."""
    for field, text in (("key", task["key"] or ""), ("title", task["title"]), *(("tag", tag) for tag in task["tags"])):
        marks = [found.span() for found in pattern.finditer(text)]
        if marks:
            yield Highlight(field, text, marks)
    yield from pieces("description", task["description"], pattern)


def pieces(field: str, text: str, pattern: re.Pattern[str], comment_id: str | None = None) -> Iterator[Highlight]:
    """The first pieces of a long text in which words stand."""
    end, made = 0, 0
    for found in pattern.finditer(text):
        if found.start() < end:
            continue
        if made == PIECES:
            return
        begin, end = _from(text, found.start() - AROUND), _to(text, found.end() + AROUND)
        piece = text[begin:end]
        yield Highlight(field, piece, [mark.span() for mark in pattern.finditer(piece)], comment_id)
        made += 1


def _from(text: str, at: int) -> int:
    """Where a piece begins: at a word."""
    if at <= 0:
        return 0
    blank = text.find(" ", at, at + AROUND)
    return at if blank < 0 else blank + 1


def _to(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    blank = text.rfind(" ", at - AROUND, at)
    return at if blank < 0 else blank


async def of_comments(
    connection: Connection, workspace_id: str, task_ids: Iterable[str], words: str, pattern: re.Pattern[str]
) -> dict[str, list[Highlight]]:
    """Those in the latest comments of some tasks, by task."""
    cursor = await connection.execute(
        """
        SELECT m.task_id::text, m.comment_id::text, m.body
        FROM checkpoints k
        CROSS JOIN unnest(%(tasks)s::uuid[]) AS asked(task_id)
        CROSS JOIN LATERAL (
            SELECT m.task_id, m.comment_id, m.body FROM comments m
            WHERE m.workspace_id = k.workspace_id AND m.build = k.build AND m.task_id = asked.task_id
              AND m.search @@ %(words)s::tsquery
            ORDER BY m.comment_id DESC LIMIT %(most)s) m
        WHERE k.workspace_id = %(workspace)s AND k.projection = 'comments' AND k.live
        """,
        {"workspace": workspace_id, "tasks": list(task_ids), "words": words, "most": COMMENTS},
    )
    found: dict[str, list[Highlight]] = {}
    for task_id, comment_id, body in await cursor.fetchall():
        found.setdefault(task_id, []).extend(pieces("comment", body, pattern, comment_id))
    return found
