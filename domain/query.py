"""The query language: `assignee:me due<7d "exact words" -excluded sort:-priority`, as text and as what it means.

A query is terms that all hold. A term is a filter by a field of the table in `domain/query_fields.py`, or words; either
may be left out by `-` before it. `docs/queries.md` describes it for those who write it. What is read here has been
checked: every value is one that its field takes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from domain.errors import Invalid
from domain.query_fields import FIELDS, NAMES, SORTABLE, Field, nearest, sort_named

QUERY_MAX: Final = 500  # characters
TERMS_MAX: Final = 50
VALUES_MAX: Final = 50  # of one filter


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a filter, and where it stands: a column that begins with 1, and a length."""

    text: str
    column: int = field(default=1, compare=False)
    length: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Filter:
    """A field, how it is compared (`:`, `<`, `<=`, `>` or `>=`), and values of which one has to do."""

    field: Field
    operator: str
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """Text to be found: a word, one that only begins so (`prefix`), or some in this order (`exact`)."""

    text: str
    prefix: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Words of which one has to be there (`a or b`); or, `negated`, none."""

    any: tuple[Word, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. `sort` names fields to sort by, `-` before one that descends; empty: not said."""

    filters: tuple[Filter, ...] = ()
    words: tuple[Words, ...] = ()
    sort: tuple[str, ...] = ()

    def also(self, other: "Query") -> "Query":
        """Both at once, in the order of the other one, if it has any."""
        return Query((*self.filters, *other.filters), (*self.words, *other.words), other.sort or self.sort)

    def __str__(self) -> str:
        """The query as text that is read as this one again."""
        sort = [f"sort:{','.join(self.sort)}"] if self.sort else []
        return " ".join([*map(_filter_text, self.filters), *map(_words_text, self.words), *sort])


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: as it is written, without the `-` before it, and where it begins."""

    text: str
    column: int
    negated: bool
    quoted: bool


def refusal(text: str, column: int, length: int, expected: str, suggestions: tuple[str, ...] = ()) -> Invalid:
    """What is wrong with a query, where it is (`column` begins with 1), and what was expected there."""
    found = text[column - 1 : column - 1 + length]
    detail = (
        f"at column {column}: expected {expected}, got {found!r}"
        if found
        else f"at column {column}: expected {expected}"
    )
    if suggestions:
        detail += f"; did you mean {' or '.join(suggestions)}?"
    error = Invalid("query.invalid", "/query/q", detail, text)
    error.extra = {**error.extra, "column": column, "length": length, "expected": expected}
    if suggestions:
        error.extra = {**error.extra, "suggestions": list(suggestions)}
    return error


def parse(text: str, field: str = "/query/q") -> Query:
    """The meaning of a query, which stands in a `field`.

    Raises `Invalid` `query.invalid`, with `column`, `length`, `expected` and `suggestions`.
    """
    reading = _Reading(text)
    try:
        for token in _tokens(text):
            reading.take(token)
        return reading.end()
    except Invalid as error:
        error.extra = {**error.extra, "errors": [{**error.extra["errors"][0], "pointer": field}]}
        raise


class _Reading:
    """What has been read of a query so far."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._filters: list[Filter] = []
        self._words: list[Words] = []
        self._sort: tuple[str, ...] = ()
        self._open = False  # words were just read, to which `or` may join others
        self._or: Token | None = None

    def take(self, token: Token) -> None:
        """Read on. Raises `Invalid` `query.invalid`."""
        if not (token.quoted or token.negated) and token.text.lower() == "or":
            if not self._open:
                raise _unjoined(self._text, token)
            self._or, self._open = token, False
            return
        found = _term(self._text, token)
        if isinstance(found, Words):
            self._take_words(found)
        elif self._or is not None:
            raise _unjoined(self._text, self._or)
        elif isinstance(found, Filter):
            self._filters.append(found)
        elif self._sort:
            raise refusal(self._text, token.column, len(token.text), "one `sort:` only")
        else:
            self._sort = found
        self._open, self._or = isinstance(found, Words) and not found.negated, None

    def _take_words(self, found: Words) -> None:
        if self._or is None:
            self._words.append(found)
        elif found.negated:
            raise _unjoined(self._text, self._or)
        else:
            self._words[-1] = Words((*self._words[-1].any, *found.any))

    def end(self) -> Query:
        """All of it. Raises `Invalid` `query.invalid`."""
        if self._or is not None:
            raise _unjoined(self._text, self._or)
        if len(self._filters) + sum(len(term.any) for term in self._words) > TERMS_MAX:
            raise refusal(self._text, 1, len(self._text), f"at most {TERMS_MAX} terms")
        return Query(tuple(self._filters), tuple(self._words), self._sort)


def _unjoined(text: str, token: Token) -> Invalid:
    return refusal(text, token.column, len(token.text), "words to be found on both sides of `or`; or it in quotes")


# A name and an operator: what follows them is the value.
_OPERATOR: Final = re.compile(r"([A-Za-z][A-Za-z_]*)(:(?:[<>]=?)?|[<>]=?|=)")
_GROUPED: Final = re.compile(rf"(\(+-?){_OPERATOR.pattern}")
_PIECE: Final = re.compile(r'"(?:[^"]|"")*"|[^\s"]+')


def _tokens(text: str) -> Iterator[Token]:
    """Pieces between blanks; a quoted part may hold some. Raises `Invalid` for a quote that is not closed."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        # Two of them negate nothing: `--force` is a word.
        negated = text[at] == "-" and at + 1 < len(text) and not (text[at + 1].isspace() or text[at + 1] == "-")
        at += negated
        first = at
        quoted = text[at] == '"'
        while at < len(text) and not text[at].isspace():
            if text[at] == '"' and at > first and not _OPERATOR.match(text, first, at):
                break
            piece = _PIECE.match(text, at)
            if piece is None:
                raise refusal(text, at + 1, len(text) - at, "a closing quote")
            at = piece.end()
            if quoted:  # what stands directly after it is another term
                break
        yield Token(text[first:at], first + 1, negated, quoted)


def _term(text: str, token: Token) -> Filter | Words | tuple[str, ...]:
    if token.quoted:
        return Words((Word(_unquoted(token.text), exact=True),), token.negated)
    named = _OPERATOR.match(token.text)
    if named is None or token.text[named.end() :].startswith("//"):
        return _plain(text, token)
    name, operator = named[1].lower(), named[2]
    if name == "sort":
        if operator not in (":", "="):
            raise refusal(text, token.column + named.end(1), len(operator), "`:` after 'sort'")
        return _sort(text, token, named.end())
    known = FIELDS.get(NAMES.get(name, ""))
    if known is None:
        if not operator.startswith(":"):
            return _plain(text, token)
        expected = "the name of a field, or words in quotes"
        raise refusal(text, token.column, len(named[1]), expected, nearest(name, [*NAMES, "sort"]))
    operator = operator.removeprefix(":").removeprefix("=") or ":"
    if operator not in known.operators:
        expected = " or ".join(f"`{each}`" for each in known.operators)
        raise refusal(text, token.column + named.end(1), len(named[2]), f"{expected} after {name!r}")
    return Filter(known, operator, _values(text, token, named.end(), known, operator), token.negated)


def _plain(text: str, token: Token) -> Words:
    """A word; with `*` at its end all that begin so. Raises `Invalid` for a filter behind a parenthesis."""
    grouped = _GROUPED.match(token.text)
    if grouped is not None and grouped[2].lower() in {*NAMES, "sort"}:
        expected = "no parenthesis before a filter: all terms hold, and values at commas are alternatives"
        raise refusal(text, token.column, len(grouped[1]), expected)
    if '"' in token.text:
        raise refusal(text, token.column + token.text.index('"'), 1, "a blank before the quote")
    begins = token.text.rstrip("*")
    return Words((Word(begins or token.text, prefix=0 < len(begins) < len(token.text)),), token.negated)


_VALUE: Final = re.compile(r'(?:"(?:[^"]|"")*"|[^,"])*')


def _values(text: str, token: Token, start: int, known: Field, operator: str) -> tuple[Value, ...]:
    """What stands after the operator, at commas. Raises `Invalid` for what the field does not take."""
    values: dict[str, Value] = {}
    at = start
    while True:
        piece = _VALUE.match(token.text, at)
        assert piece is not None
        column, length = token.column + at, len(piece[0])
        value = _unquoted(piece[0])
        if not value:
            raise refusal(text, column, max(length, 0), known.expected)
        wrong = known.check(value, operator)
        if wrong is not None:
            raise refusal(text, column, length, wrong.expected, wrong.suggestions)
        values.setdefault(value, Value(value, column, length))
        at = piece.end() + 1
        if piece.end() >= len(token.text):
            break
    if len(values) > (VALUES_MAX if operator == ":" else 1):
        expected = "one value to compare with" if operator != ":" else f"at most {VALUES_MAX} values"
        raise refusal(text, token.column + start, len(token.text) - start, expected)
    return tuple(values.values())


def _sort(text: str, token: Token, start: int) -> tuple[str, ...]:
    if token.negated:
        raise refusal(text, token.column - 1, 1, "no `-` before `sort:`; it stands before a field to sort by")
    names: list[str] = []
    at = start
    for part in token.text[start:].split(","):
        down, name = part.startswith("-"), part.removeprefix("-").lower()
        known = sort_named(name)
        if known is None:
            expected = f"one of {', '.join(SORTABLE)}, `-` before it to descend"
            raise refusal(text, token.column + at, len(part), expected, nearest(name, SORTABLE))
        if known in [other.removeprefix("-") for other in names]:
            raise refusal(text, token.column + at, len(part), "each field to sort by once")
        names.append(f"-{known}" if down else known)
        at += len(part) + 1
    return tuple(names)


def _unquoted(text: str) -> str:
    """Without quotes; a doubled one inside of them stands for itself."""
    return re.sub(r'"((?:[^"]|"")*)"', lambda found: found[1].replace('""', '"'), text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


# What stands without quotes: it neither goes on with the operator nor makes an address of the name.
_BARE: Final = re.compile(r'(?![<>=/])[^\s",]+')


def _filter_text(term: Filter) -> str:
    values = ",".join(each.text if _BARE.fullmatch(each.text) else _quoted(each.text) for each in term.values)
    return f"{'-' if term.negated else ''}{term.field.name}{term.operator}{values}"


def _words_text(term: Words) -> str:
    return ("-" if term.negated else "") + " or ".join(map(_word_text, term.any))


def _word_text(word: Word) -> str:
    if word.exact:
        return _quoted(word.text)
    return f"{word.text}*" if word.prefix else word.text
