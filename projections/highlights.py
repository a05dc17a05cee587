"""Highlights: where the words of a search stand in what it found, as pieces of text with the places of the words.

The text is as people wrote it, and the places are numbers: how they are shown, and what has to be escaped for it, is
for who shows them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple
from unicodedata import category, normalize

import msgspec

from projections.database import Connection

PIECES: Final = 3  # of one text
AROUND: Final = 60  # characters before and after a word
COMMENTS: Final = 3  # of one task

_LEXEME: Final = re.compile(r"'((?:[^']|'')*)'(:\*?)?")
_PHRASE: Final = re.compile(rf"{_LEXEME.pattern}(?: <-> {_LEXEME.pattern})*")

# What is a word each, as the function `parted` of the schema has it; of all other letters and digits some make a word.
_ALONE: Final = (
    "\u2100-\u2bff\u2e80-\u2fff\u3005-\u3007\u3021-\u302f\u3031-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
_IS_ALONE: Final = re.compile(f"[{_ALONE}]")
_JOINER: Final = "\u200d"
_TONES: Final = ("\U0001f3fb", "\U0001f3ff")


class Highlight(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a field, and the words in it: pairs of where one begins and where it ends, in characters."""

    field: str
    text: str
    marks: list[tuple[int, int]]
    comment_id: str | None = None


class Pattern(NamedTuple):
    """What words and phrases look like in a text; those of the group `begun` only begin so."""

    look: re.Pattern[str]

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they stand, as whole words."""
        at = 0
        while (found := self.look.search(text, at)) is not None:
            begin, end = found.span()
            whole = not _goes_through(text, begin) and (found.lastgroup or not _goes_through(text, end))
            at = _end_of_word(text, end if whole else begin + 1)
            if whole:
                yield begin, at


def pattern_of(words: str) -> Pattern | None:
    """What to look for, for a `tsquery`; None where it has no words."""
    found = {tuple(_LEXEME.findall(phrase[0])) for phrase in _PHRASE.finditer(words)}
    if not found:
        return None
    longest_first = sorted(found, key=lambda each: (-sum(len(text) for text, _ in each), each))
    begun = [_phrase(phrase) for phrase in longest_first if phrase[-1][1].endswith("*")]
    looks = [_phrase(phrase) for phrase in longest_first if not phrase[-1][1].endswith("*")]
    either = [*([f"(?P<begun>{'|'.join(begun)})"] if begun else []), *looks]
    return Pattern(re.compile("|".join(either), re.IGNORECASE))


def _phrase(lexemes: Sequence[tuple[str, str]]) -> str:
    """What some words look like one after the other."""
    texts = [text.replace("''", "'").replace("\\\\", "\\") for text, _ in lexemes]
    looks = list(map(_word, texts))
    gaps = [r"[\W_]*" if _is_alone(one[-1]) or _is_alone(other[0]) else r"[\W_]+" for one, other in pairwise(texts)]
    return looks[0] + "".join(gap + look for gap, look in zip(gaps, looks[1:], strict=True))


def _word(text: str) -> str:
    """A word, whether its accents are parts of its letters or characters of their own."""
    forms = dict.fromkeys((text, normalize("NFD", text)))
    return "|".join(map(re.escape, forms)) if len(forms) == 1 else f"(?:{'|'.join(map(re.escape, forms))})"


def _end_of_word(text: str, at: int) -> int:
    while _goes_through(text, at):
        at += 1
    return at


def _goes_through(text: str, at: int) -> bool:
    """Whether a word is on both sides of a place."""
    return 0 < at < len(text) and _is_of_word(text[at - 1]) and _is_of_word(text[at])


def _is_of_word(char: str) -> bool:
    return (char.isalnum() or category(char).startswith("M")) and not _is_alone(char)


def _is_alone(char: str) -> bool:
    return _IS_ALONE.match(char) is not None


def of_task(task: Mapping[str, Any], pattern: Pattern) -> Iterator[Highlight]:
    """Those in a task's own texts: whole titles, keys and tags, and pieces of the description."""
    for field, text in (("key", task["key"] or ""), ("title", task["title"]), *(("tag", tag) for tag in task["tags"])):
        marks = list(pattern.spans(text))
        if marks:
            yield Highlight(field, text, marks)
    yield from pieces("description", task["description"], pattern)


def pieces(field: str, text: str, pattern: Pattern, comment_id: str | None = None) -> Iterator[Highlight]:
    """The first pieces of a long text in which words stand."""
    end, made = 0, 0
    for first, last in pattern.spans(text):
        if first < end:
            continue
        if made == PIECES:
            return
        begin, end = _whole(text, _from(text, first - AROUND)), _whole(text, _to(text, last + AROUND))
        piece = text[begin:end]
        yield Highlight(field, piece, list(pattern.spans(piece)), comment_id)
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


def _whole(text: str, at: int) -> int:
    """The same place, or where the character begins that it would cut: one of several code points."""
    while 0 < at < len(text) and _goes_on(text[at - 1], text[at]):
        at -= 1
    return at


def _goes_on(before: str, char: str) -> bool:
    return _JOINER in (before, char) or category(char).startswith("M") or _TONES[0] <= char <= _TONES[1]


async def of_comments(
    connection: Connection, workspace_id: str, task_ids: Iterable[str], words: str, pattern: Pattern
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
