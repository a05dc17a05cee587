"""What the words of a query mean to the text search of PostgreSQL: a `tsquery`, which it makes of them once."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from domain.query import Word, Words
from domain.query_fields import KEY
from projections.database import Connection


class Wanted(NamedTuple):
    """Words as `tsquery`: `all` of them, those to be left `out`, and those to be `found`; both may be none."""

    all: str
    out: str | None
    found: str


async def wanted(connection: Connection, words: Sequence[Words]) -> Wanted:
    """What words mean, as PostgreSQL writes it; empty where none of them has letters or digits."""
    values: dict[str, Any] = {}
    found = _conjunction([term for term in words if not term.negated], values)
    out = _conjunction([replace(term, negated=False) for term in words if term.negated], values, " || ")
    cursor = await connection.execute(
        f"SELECT (({found}) && !!({out}))::text, ({out})::text, ({found})::text".encode(),
        values,
    )
    row = await cursor.fetchone()
    assert row is not None
    return Wanted(str(row[0]), str(row[1]) or None, str(row[2]))


def _conjunction(words: Sequence[Words], values: dict[str, Any], operator: str = " && ") -> str:
    each = ["(" + " || ".join(_word(word, values) for word in term.any) + ")" for term in words]
    return operator.join(each) or "''::tsquery"


def _word(word: Word, values: dict[str, Any]) -> str:
    name = f"w{len(values)}"
    values[name] = word.text
    said = f"phrase(%({name})s)"
    if word.prefix:
        said = f"beginning(%({name})s)"
    if word.exact or not KEY.fullmatch(word.text):
        return said
    values[f"{name}k"] = lexeme(word.text.lower()) + (":*" if word.prefix else "")
    return f"({said} || %({name}k)s::tsquery)"


def lexeme(text: str) -> str:
    """A word as a `tsquery` of itself, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def tagged(names: Sequence[str]) -> str:
    """The `tsquery` of tasks that have one of these tags; see the function `words` of the schema."""
    return " | ".join(lexeme(f"#{name}") for name in names) or lexeme("#")  # which no task has


def without_order(words: str) -> str:
    """A `tsquery` without what it says of the order of words: they have to be there."""
    return _OPERATOR.sub(lambda found: found[0] if found[0].startswith("'") else "&", words)


_OPERATOR: Final = re.compile(r"'(?:[^']|'')*'|<(?:-|\d+)>")
