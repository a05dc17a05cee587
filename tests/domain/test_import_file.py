"""Files of tasks are cut into records wherever their bytes are, and say what is wrong with them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.exchange import COLUMNS as EXPORTED
from domain.exchange import HEADER, escape, records
from domain.import_file import LINE_BYTES_MAX, Cutter, FileFormat, Piece, header_of, record_of
from domain.import_line import COLUMNS

CSV, JSONL = FileFormat.CSV, FileFormat.JSONL
NAMES: dict[str, str] = {}


def cut(form: FileFormat, *parts: bytes) -> list[Piece]:
    cutter = Cutter(form)
    found = [piece for part in parts for piece in cutter.feed(part)]
    return [*found, *cutter.end()]


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=3), min_size=1),
    st.integers(1, 40),
)
def test_records_are_the_same_however_they_come(rows: list[list[str]], size: int) -> None:
    file = records(rows).encode()
    pieces = cut(CSV, *(file[at : at + size] for at in range(0, len(file), size)))
    assert pieces == cut(CSV, file)
    found = [next(csv.reader(io.StringIO((piece.data or b"").decode() + "\n", newline=""))) for piece in pieces]
    assert found == rows


def test_records_know_the_lines_that_they_begin_in() -> None:
    assert cut(CSV, b'a,b\r\n"1\n2",x\r\n3,y') == [(1, b"a,b\r"), (2, b'"1\n2",x\r'), (4, b"3,y")]
    assert cut(JSONL, b'{"a":"\\"x"}\n\n{}\n') == [(1, b'{"a":"\\"x"}'), (2, b""), (3, b"{}")]


def test_a_mark_of_byte_order_is_no_part_of_the_first_record() -> None:
    assert cut(CSV, b"\xef", b"\xbb\xbftitle\n") == [(1, b"title")]
    assert cut(CSV, b"\xef\xbb\xbf") == []


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\x00\x00"])
def test_other_encodings_are_refused_by_their_marks(mark: bytes) -> None:
    with pytest.raises(Invalid, match="UTF-16") as refused:
        cut(CSV, mark + "title\n".encode("utf-16-le"))
    assert refused.value.code == "import.encoding"


@pytest.mark.parametrize("size", [1_000_000, 2_500_000])
def test_a_line_that_is_too_long_is_passed_by_and_the_next_one_is_read(size: int) -> None:
    file = b"x" * (2 * LINE_BYTES_MAX) + b"\n{}\n"
    assert cut(JSONL, *(file[at : at + size] for at in range(0, len(file), size))) == [(1, None), (2, b"{}")]


def test_quotes_that_do_not_end_name_the_line_where_they_begin() -> None:
    with pytest.raises(Invalid, match="line 2") as refused:
        cut(CSV, b'title\n"open\nmore\n')
    assert refused.value.code == "import.quotes"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_header_says_what_stands_between_fields(delimiter: str) -> None:
    header = header_of(delimiter.join(['"Title"', "tags", "Nobody knows"]), NAMES, COLUMNS)
    assert (header.delimiter, header.columns, header.escaped) == (delimiter, ["title", "tags", "nobody knows"], False)
    assert record_of(delimiter.join(["a", "b", "c"]), header) == {"title": "a", "tags": "b", "nobody knows": "c"}


def test_columns_have_other_names_where_somebody_says_so() -> None:
    header = header_of("Summary,Title", {"Summary": "title", "Title": "description"}, COLUMNS)
    assert record_of("a,b", header) == {"title": "a", "description": "b"}


def test_the_header_of_an_export_says_that_text_is_escaped() -> None:
    assert header_of(",".join(HEADER), NAMES, COLUMNS).escaped
    assert not header_of(",".join(HEADER[1:]), NAMES, COLUMNS).escaped


def test_a_header_may_be_as_long_as_any_record() -> None:
    assert header_of(f"title,{'x' * 200_000}", NAMES, COLUMNS).columns[0] == "title"


def test_a_header_has_the_columns_that_somebody_names() -> None:
    with pytest.raises(Invalid, match="'Sumary', which is to be taken for 'description'"):
        header_of("Title,Summary", {"Sumary": "description"}, COLUMNS)


@pytest.mark.parametrize("text", ["summary,tags", "", "title,Title", "title,tags,Tags", "title\rOne\rTwo"])
def test_a_header_names_a_title_and_each_column_once(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        header_of(text, NAMES, COLUMNS)
    assert refused.value.code == "import.header"


@pytest.mark.parametrize("text", ["a", "a,b,c", '"a"b,c', '"a'])
def test_a_record_is_as_the_header_says(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        record_of(text, header_of("title,tags", NAMES, COLUMNS))
    assert refused.value.code == "import.record"


def test_every_column_of_an_export_that_holds_more_than_a_trace_is_taken() -> None:
    traces = {"key", "created_by", "creator", "updated_at", "version", "overdue_since"}
    assert {column.name for column in EXPORTED} - COLUMNS == traces
    assert escape("=1") == "'=1"
