"""The words of a query, as a search takes them: the last one may be only begun, and any may be misspelt."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from domain.query import Query, Word, Words


def asks_for_words(query: Query) -> bool:
    """Whether there is something to be found, and not only to be left out."""
    return any(not term.negated for term in query.words)


def begun(query: Query) -> Query:
    """The query of somebody who may still be writing: its last word stands for all that begin so."""
    if not query.words or query.words[-1].negated:
        return query
    *before, last = query.words[-1].any
    if last.exact or len(last.text) < 2:
        return query
    words = replace(query.words[-1], any=(*before, replace(last, prefix=True)))
    return replace(query, words=(*query.words[:-1], words))


def plain(query: Query) -> list[str]:
    """The words that may be misspelt: none in quotes, and none that is to be left out."""
    return [_bare(word) for term in query.words if not term.negated for word in term.any if not word.exact]


def meaning(query: Query, meant: Mapping[str, Sequence[str]]) -> Query:
    """The query with what each word may have meant beside it."""
    words = tuple(term if term.negated else Words(_either(term, meant)) for term in query.words)
    return replace(query, words=words)


def _either(term: Words, meant: Mapping[str, Sequence[str]]) -> tuple[Word, ...]:
    others = (Word(other) for word in term.any if not word.exact for other in meant.get(_bare(word), ()))
    return tuple(dict.fromkeys((*term.any, *others)))


def _bare(word: Word) -> str:
    """What is left of a word without what stands around it: `(walrus),`."""
    return _AROUND.sub("", word.text.lower())


_AROUND: Final = re.compile(r"^[\W_]+|[\W_]+$")
