"""Rows of files: CSV and NDJSON become native touchpoints; a bad line costs itself alone."""

import codecs
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.rows import count_lines, open_rows
from shared.errors import Invalid, Unreadable
from shared.files.row import BadRow, FileRow, Row

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        file = tmp_path / "file"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


def _rows(file: Path, *, identify: bool = False) -> list[FileRow]:
    with open_rows(file, identify=identify) as rows:
        return list(rows)


def _items(file: Path) -> list[object]:
    rows = _rows(file)
    assert all(isinstance(row, Row) for row in rows), rows
    return [row.item for row in rows if isinstance(row, Row)]


def _ids(file: Path) -> list[object]:
    return [row.item["event_id"] for row in _rows(file, identify=True) if isinstance(row, Row)]


def test_columns_become_the_members_they_name(write: Write) -> None:
    file = write(
        "event_id,type,channel,customer.email,properties.page.url,traits.plan,text\n"
        "o-1,page_viewed,web,ana@example.com,https://x.example/,pro,hello\n"
    )
    assert _items(file) == [
        {
            "event_id": "o-1",
            "type": "page_viewed",
            "channel": "web",
            "customer": {"email": "ana@example.com"},
            "properties": {"page": {"url": "https://x.example/"}},
            "traits": {"plan": "pro"},
            "text": "hello",
        }
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_tells_what_parts_the_columns(write: Write, delimiter: str) -> None:
    file = write(f"type{delimiter}customer.email\nvisit{delimiter}ana@example.com\n")
    assert _items(file) == [{"type": "visit", "customer": {"email": "ana@example.com"}}]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_will_do(write: Write, line_end: str) -> None:
    file = write(line_end.join(["type,customer.email", "a,x@y.z", "b,x@y.z", ""]))
    assert [row.line for row in _rows(file)] == [2, 3]


def test_a_byte_order_mark_is_no_part_of_the_first_name(write: Write) -> None:
    file = write(codecs.BOM_UTF8 + "type,customer.email\nvisit,ä@example.com\n".encode())
    assert _items(file) == [{"type": "visit", "customer": {"email": "ä@example.com"}}]
    file = write(codecs.BOM_UTF8 + b'{"type": "visit"}\n')
    assert _items(file) == [{"type": "visit"}]


def test_a_compressed_file_is_known_by_its_first_bytes(write: Write) -> None:
    file = write(gzip.compress(b'{"type": "visit"}\n{"type": "call"}\n'))
    assert _items(file) == [{"type": "visit"}, {"type": "call"}]
    assert count_lines(file) == 2


def test_a_truncated_compressed_file_says_so(write: Write) -> None:
    file = write(gzip.compress(b'{"type": "visit"}\n' * 1_000)[:-9])
    with pytest.raises(Unreadable, match="no whole gzip file"):
        _rows(file)
    with pytest.raises(Unreadable, match="no whole gzip file"):
        count_lines(file)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("99.50", 99.5),
        ("0", 0),
        ("007", "007"),
        ("1e5", "1e5"),
        ("+49301234", "+49301234"),
        ("12345678901234567", "12345678901234567"),
        ("true", True),
        ("false", False),
        ("TRUE", "TRUE"),
        ("NaN", "NaN"),
        (" x ", "x"),
        ("١٢", "١٢"),
    ],
)
def test_numbers_and_truth_values_are_read_and_nothing_else_is(
    write: Write, cell: str, value: object
) -> None:
    file = write(f"type,customer.email,properties.value\nvisit,x@y.z,{cell}\n")
    [item] = _items(file)
    assert isinstance(item, dict)
    [found] = item["properties"].values()
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "column", ["customer.phone", "properties.order_id", "properties.id", "event_id", "text"]
)
def test_what_names_something_stays_text(write: Write, column: str) -> None:
    file = write(f"type,{column}\nvisit,12\n")
    [item] = _items(file)
    assert '"12"' in str(item).replace("'", '"')


def test_empty_cells_are_absent_and_empty_lines_are_none(write: Write) -> None:
    file = write("type,customer.email,text\nvisit,x@y.z,\n,,\n\n   ,,\nvisit,x@y.z\n")
    visit: dict[str, object] = {"type": "visit", "customer": {"email": "x@y.z"}}
    assert _rows(file) == [Row(2, visit), Row(6, visit)]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends(write: Write) -> None:
    file = write('type,text\nvisit,"a, ""b""\nc"\ncall,d\n')
    assert _rows(file) == [
        Row(2, {"type": "visit", "text": 'a, "b"\nc'}),
        Row(4, {"type": "call", "text": "d"}),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line_alone(write: Write) -> None:
    good = [f'call,"{number}"' for number in range(3)]
    file = write("\n".join(["type,text", good[0], 'visit,"never closed', *good[1:]]) + "\n")
    rows = _rows(file)
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert [row.line for row in rows if isinstance(row, BadRow)] == [3]


@given(
    st.lists(
        st.sampled_from(["call,a", 'call,"a, b"', 'call,"a""b"', 'visit,"open', 'visit,"a" b']),
        max_size=12,
    )
)
def test_every_line_is_told_of_exactly_once_whatever_its_neighbours(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    file = tmp_path_factory.mktemp("rows") / "file.csv"
    file.write_text("\n".join(["type,text", *lines]))
    rows = _rows(file)
    sound = [number for number, line in enumerate(lines, start=2) if line.startswith("call")]
    assert [row.line for row in rows] == list(range(2, len(lines) + 2))
    assert [row.line for row in rows if isinstance(row, Row)] == sound


def test_too_many_cells_are_named(write: Write) -> None:
    file = write("type,text\nvisit,a,b\ncall,c\n")
    bad, good = _rows(file)
    assert bad == BadRow(2, "has 3 cells, the header has 2")
    assert good == Row(3, {"type": "call", "text": "c"})


def test_bytes_that_are_no_utf8_are_told_and_not_replaced(write: Write) -> None:
    file = write("type,text\nvisit,Müller\n".encode("latin-1") + "call,Müller\n".encode())
    bad, good = _rows(file)
    assert isinstance(bad, BadRow)
    assert "UTF-8" in bad.why
    assert good == Row(3, {"type": "call", "text": "Müller"})


@pytest.mark.parametrize(
    ("header", "path", "code"),
    [
        ("Datum,type", "Datum", "unknown_column"),
        ("type,customer", "customer", "unknown_column"),
        ("type,customer.", "customer.", "unknown_column"),
        ("type,properties.a..b", "properties.a..b", "unknown_column"),
        ("type,received_at", "received_at", "unknown_column"),
        ("type,,text", "column 2", "unnamed_column"),
        ("type,text,type", "type", "repeated_column"),
        ("type,properties.a,properties.a.b", "properties.a", "ambiguous_column"),
    ],
)
def test_a_header_that_names_no_columns_is_refused_by_name(
    write: Write, header: str, path: str, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        _rows(write(f"{header}\na,b,c\n"))
    assert [(fault.path, fault.code) for fault in caught.value.faults] == [(path, code)]


@pytest.mark.parametrize("content", ["", "\n", '"type'], ids=["empty", "blank", "open quote"])
def test_a_file_without_a_header_is_refused(write: Write, content: str) -> None:
    with pytest.raises(Invalid, match="first line"):
        _rows(write(content))


def test_a_json_array_is_refused_with_the_way_out(write: Write) -> None:
    with pytest.raises(Invalid, match="one object a line"):
        _rows(write('[{"type": "visit"}]'))


@pytest.mark.parametrize(
    "line",
    [b"{", b'{"a": 1} x', b'["a"]', b"7", b'{"a": "\xff"}', b'{"a": NaN}', b'{"a": "\\ud800"}'],
)
def test_a_line_that_is_no_json_object_costs_itself_alone(write: Write, line: bytes) -> None:
    bad, good = _rows(write(b'{"type": "a"}\n' + line + b'\n\n  \n{"type": "b"}'))[1:]
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert bad.why.startswith("is no JSON object")
    assert good == Row(5, {"type": "b"})


def test_a_line_that_is_nested_without_end_costs_itself_alone(write: Write) -> None:
    deep = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert _rows(write(f'{{"type": "a"}}\n{deep}\n')) == [
        Row(1, {"type": "a"}),
        BadRow(2, "is nested too deeply"),
    ]


def test_an_event_id_follows_from_the_content_and_its_ordinal(write: Write) -> None:
    first = _ids(write('{"type": "a", "n": 1}\n{"type": "b"}\n{"n": 1, "type": "a"}\n'))
    assert len(set(first)) == 3
    assert first == _ids(write('{"n": 1, "type": "a"}\n{"type": "b"}\n{"type": "a", "n": 1}\n'))
    others_before = _ids(write('{"type": "c"}\n{"type": "a", "n": 1}\n'))
    assert others_before[1] == first[0], "what else the file holds does not matter"


def test_an_event_id_that_is_given_stays(write: Write) -> None:
    file = write('{"event_id": "o-1"}\n{"event_id": ""}\n{"event_id": null}\n')
    given_id, *derived = _ids(file)
    assert given_id == "o-1"
    assert all(str(name).startswith("row-") for name in derived)


def test_without_identifying_rows_stay_as_they_are(write: Write) -> None:
    assert _rows(write('{"type": "a"}')) == [Row(1, {"type": "a"})]
