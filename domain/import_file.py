"""A file of tasks, as it comes: pieces of bytes into the records of CSV, or the lines of JSON Lines.

Nothing here holds more than a piece and a record, so a file may be of any size.
"""

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from domain.errors import Invalid
from domain.exchange import HEADER

LINE_BYTES_MAX: Final = 2_000_000  # of a record: the longest description, every character of it escaped
DELIMITERS: Final = ",;\t"
_NOT_UTF_8: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # that of UTF-32 begins like one of these


class FileFormat(StrEnum):
    """In which form tasks come."""

    CSV = "csv"
    JSONL = "jsonl"


class Piece(NamedTuple):
    """A record with the number of the line that it begins in; None: it is longer than any may be."""

    line: int
    data: bytes | None


class Cutter:
    """Cuts bytes into records: at line ends, and in CSV at those that stand in no quotes (RFC 4180)."""

    def __init__(self, form: FileFormat) -> None:
        self._quotes = form is FileFormat.CSV
        self._line = 1
        self._begun = 1
        self._parts: list[bytes] = []
        self._size = 0
        self._open = False  # within quotes
        self._rest = b""
        self._first = True

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The records that end in the next bytes. Raises `Invalid` `import.encoding` if it begins as no UTF-8 does."""
        data = self._rest + data
        if self._first and len(data) >= len(codecs.BOM_UTF8):
            data = _without_mark(data)
            self._first = False
        *lines, self._rest = data.split(b"\n")
        for line in lines:
            yield from self._take(line)
        if len(self._rest) > LINE_BYTES_MAX:  # keep no more of it than shows that it is too long
            self._size += len(self._rest)
            if self._quotes and self._rest.count(b'"') % 2:
                self._open = not self._open
            self._rest = b""

    def end(self) -> Iterator[Piece]:
        """What stands after the last line end. Raises `Invalid` `import.quotes` where quotes do not end."""
        rest, self._rest = self._rest, b""
        if rest or self._parts or self._size:
            yield from self._take(_without_mark(rest) if self._first else rest)
        if self._open:
            detail = f"the quotes that are open in the record that begins in line {self._begun} do not end"
            raise Invalid("import.quotes", f"/lines/{self._begun}", detail)

    def _take(self, line: bytes) -> Iterator[Piece]:
        self._line += 1
        self._size += len(line) + 1
        if self._size <= LINE_BYTES_MAX:
            self._parts.append(line)
        else:
            self._parts.clear()
        if self._quotes and line.count(b'"') % 2:
            self._open = not self._open
        if self._open:
            return
        yield Piece(self._begun, b"\n".join(self._parts) if self._size <= LINE_BYTES_MAX else None)
        self._begun, self._size = self._line, 0
        self._parts.clear()


def _without_mark(data: bytes) -> bytes:
    if data.startswith(_NOT_UTF_8):
        raise Invalid("import.encoding", "/", "must be UTF-8, and begins as UTF-16 or UTF-32 do", repr(data[:4]))
    return data.removeprefix(codecs.BOM_UTF8)


class Header(NamedTuple):
    """The first record of a CSV file: what stands between fields, and the column of each.

    `escaped`: all columns of an export are there, so text is written as `domain.exchange.escape` does.
    """

    delimiter: str
    columns: Sequence[str]
    escaped: bool


def header_of(text: str, mapping: Mapping[str, str], known: frozenset[str]) -> Header:
    """Read it. `mapping` leads from names in the file to those of columns; of what is not `known` nothing is taken.

    Raises `Invalid` `import.header` where it names no title, a column twice, or not one that the mapping names.
    """
    rows = {each: _names(text, each) for each in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: len(rows[each]))
    names = [name.strip() for name in rows[delimiter]]
    columns = [mapping.get(name, name.lower()) for name in names]
    if wrong := _wrong(names, [name for name in columns if name in known], mapping):
        raise Invalid("import.header", "/lines/1", wrong, text[:200])
    return Header(delimiter, columns, set(HEADER) <= set(columns))


def _names(text: str, delimiter: str) -> list[str]:
    csv.field_size_limit(LINE_BYTES_MAX)
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error as error:  # such as lines that end with CR alone: then all of the file is its header
        detail = f"is no record of CSV, of which lines end with LF or CR LF: {error}"
        raise Invalid("import.header", "/lines/1", detail, text[:200]) from error


def _wrong(names: Sequence[str], taken: Sequence[str], mapping: Mapping[str, str]) -> str:
    """What is wrong with the columns of a header; nothing, mostly."""
    if absent := sorted(mapping.keys() - set(names)):
        return f"must name the column {absent[0]!r}, which is to be taken for {mapping[absent[0]]!r}"
    if twice := sorted({name for name in taken if taken.count(name) > 1}):
        return f"must name each column once, got {twice[0]!r} twice"
    return "" if "title" in taken else "must name a column title"


def record_of(text: str, header: Header) -> dict[str, str]:
    """A record by its columns. Raises `Invalid` `import.record` where it has other than those."""
    csv.field_size_limit(LINE_BYTES_MAX)
    try:
        [values] = csv.reader([text], delimiter=header.delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise Invalid("import.record", "/", f"is no record of CSV: {error}", text[:200]) from error
    if len(values) != len(header.columns):
        detail = f"must have {len(header.columns)} fields as the header has, got {len(values)}"
        raise Invalid("import.record", "/", detail, text[:200])
    return dict(zip(header.columns, values, strict=True))
