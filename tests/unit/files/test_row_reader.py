"""Files that come in pieces: what is read never depends on where the pieces end."""

import codecs
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.files.columns import Layout
from shared.files.file_times import FileTimes
from shared.files.line_cutter import LONGEST_LINE
from shared.files.row import BadRow, FileRow, Row
from shared.files.row_reader import RowReader
from shared.touchpoints import JsonObject

TILL: Mapping[str, str] = {
    "Bon": "event_id",
    "Datum": "occurred_at",
    "Karte": "customer.loyalty_id",
    "Summe": "properties.value",
}


def rows_of(
    content: bytes, layout: Layout | None = None, *, pieces: int = 1 << 30, identify: bool = False
) -> list[FileRow]:
    reader = RowReader(layout, identify=identify)

    def read() -> Iterator[FileRow]:
        for start in range(0, len(content), pieces):
            yield from reader.feed(content[start : start + pieces])
        yield from reader.finish()

    return list(read())


def items_of(content: bytes, layout: Layout | None = None) -> list[JsonObject]:
    rows = rows_of(content, layout)
    assert all(isinstance(row, Row) for row in rows), rows
    return [row.item for row in rows if isinstance(row, Row)]


_lines = st.lists(
    st.sampled_from(
        [
            b"call,a",
            b'call,"a, b"',
            b'call,"a\nb"',
            b'call,"a\r\nb"',
            b'visit,"open',
            b'visit,"a" b',
            b"visit,\xff",
            b"",
            b"a,b,c",
        ]
    ),
    max_size=12,
)


@given(_lines, st.integers(1, 40), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_csv_reads_the_same_in_pieces_of_any_size(
    lines: list[bytes], pieces: int, line_end: bytes
) -> None:
    content = line_end.join([b"type,text", *lines])
    assert rows_of(content, pieces=pieces) == rows_of(content)


@given(
    st.lists(st.sampled_from([b'{"type": "a"}', b"{", b"", b"  ", b'{"a": "\xff"}', b"5"])),
    st.integers(1, 30),
)
def test_ndjson_reads_the_same_in_pieces_of_any_size(lines: list[bytes], pieces: int) -> None:
    content = b"\n".join([codecs.BOM_UTF8 + b'{"type": "first"}', *lines])
    assert rows_of(content, pieces=pieces, identify=True) == rows_of(content, identify=True)


def test_a_bad_line_keeps_its_bytes() -> None:
    _, bad, other = rows_of(b'type,text\nvisit,a\nvisit,"open\nvisit,\xff\n')
    assert isinstance(bad, BadRow)
    assert bad.raw == b'visit,"open\n'
    assert isinstance(other, BadRow)
    assert other.raw == b"visit,\xff\n"


def test_a_line_without_end_costs_itself_and_no_memory() -> None:
    content = b'{"a": "' + b"x" * (3 * LONGEST_LINE) + b'"}\n{"type": "b"}\n'
    bad, good = rows_of(content, pieces=65_536)
    assert isinstance(bad, BadRow)
    assert "longer" in bad.why
    assert len(bad.raw) <= LONGEST_LINE + 1
    assert good == Row(2, {"type": "b"})


def test_a_quote_that_is_never_closed_costs_its_own_line_in_a_large_file_too() -> None:
    good = b'call,"fine"\n'
    content = b"type,text\n" + good * 3 + b'visit,"open\n' + b"call,fine\n" * 50_000
    rows = rows_of(content, pieces=65_536)
    assert len(rows) == 50_004
    assert [row.line for row in rows if isinstance(row, BadRow)] == [5]


@pytest.mark.parametrize("start", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_utf_16_is_refused_with_the_way_out(start: bytes) -> None:
    with pytest.raises(Invalid, match="UTF-8"):
        rows_of(start + b"t\0y\0")


def test_nothing_but_white_space_has_no_header() -> None:
    for content in (b"", b" \n \n", b" " * 200_000):
        with pytest.raises(Invalid, match="first line"):
            rows_of(content, pieces=1_000)


class TestColumnMaps:
    def test_columns_become_what_the_map_says_and_all_others_are_properties(self) -> None:
        content = (
            b"Bon;Datum;Karte;Summe;Filiale;Artikel-Nr.\n"
            b"4711;2026-01-31T13:05:09+01:00;L-9;99.5;Berlin 1;A.1\n"
        )
        assert items_of(content, Layout(TILL, type="store_sale", channel="in_store")) == [
            {
                "event_id": "4711",
                "occurred_at": "2026-01-31T13:05:09+01:00",
                "customer": {"loyalty_id": "L-9"},
                "properties": {"value": 99.5, "Filiale": "Berlin 1", "Artikel-Nr.": "A.1"},
                "type": "store_sale",
                "channel": "in_store",
            }
        ]

    def test_columns_that_are_named_like_members_need_no_map(self) -> None:
        content = b"type,Karte,customer.email,traits.plan\nvisit,L-9,x@y.z,pro\n"
        assert items_of(content, Layout({"Karte": "customer.loyalty_id"})) == [
            {
                "type": "visit",
                "customer": {"loyalty_id": "L-9", "email": "x@y.z"},
                "traits": {"plan": "pro"},
            }
        ]

    def test_a_map_holds_for_ndjson_as_well(self) -> None:
        content = (
            b'{"Bon": 4711, "Karte": "L-9", "Datum": null, "Summe": 5, "Rest": [1], "type": "x"}'
        )
        assert items_of(content, Layout({**TILL, "Bon": "properties.receipt"})) == [
            {
                "properties": {"receipt": 4711, "value": 5, "Rest": [1]},
                "customer": {"loyalty_id": "L-9"},
                "occurred_at": None,
                "type": "x",
            }
        ]

    def test_what_a_row_says_itself_goes_before_what_the_file_states(self) -> None:
        content = b"type,channel,text\nvisit,web,a\n,,b\n"
        layout = Layout(type="call", channel="contact_center")
        assert [(item["type"], item["channel"]) for item in items_of(content, layout)] == [
            ("visit", "web"),
            ("call", "contact_center"),
        ]

    @pytest.mark.parametrize(
        ("header", "faults"),
        [
            (
                b"Bon;Datum;Karte",
                [("Summe", "missing_column")],
            ),
            (
                b"Bon;Datum;Karte;Summe;Summe",
                [("Summe", "repeated_column")],
            ),
            (
                b"Bon;Datum;Karte;Summe;event_id",
                [("event_id", "repeated_column")],
            ),
            (
                b"Bon;Datum;Karte;Summe;customer",
                [("customer", "unknown_column")],
            ),
            (
                b"Bon;Datum;Karte;Summe;",
                [("column 5", "unnamed_column")],
            ),
        ],
    )
    def test_a_header_that_does_not_go_with_the_map_is_refused_by_name(
        self, header: bytes, faults: list[tuple[str, str]]
    ) -> None:
        with pytest.raises(Invalid) as caught:
            rows_of(header + b"\n1;2;3;4;5\n", Layout(TILL))
        found = [(fault.path, fault.code) for fault in caught.value.faults]
        assert found == faults


class TestTimes:
    @pytest.mark.parametrize(
        ("pattern", "zone", "text", "meant"),
        [
            (None, "Europe/Berlin", "2026-01-31T13:05:09", "2026-01-31T13:05:09+01:00"),
            (None, "Europe/Berlin", "2026-07-31 13:05", "2026-07-31T13:05:00+02:00"),
            (None, "Europe/Berlin", "2026-07-31T13:05:00Z", "2026-07-31T13:05:00+00:00"),
            (None, "-03:30", "2026-01-31", "2026-01-31T00:00:00-03:30"),
            ("%d.%m.%Y %H:%M", "Europe/Berlin", "31.01.2026 13:05", "2026-01-31T13:05:00+01:00"),
            ("%m/%d/%y %I:%M %p", "UTC", "01/31/26 01:05 PM", "2026-01-31T13:05:00+00:00"),
            ("%d.%m.%Y %H:%M %z", None, "31.01.2026 13:05 +0100", "2026-01-31T13:05:00+01:00"),
        ],
    )
    def test_times_are_read_as_the_file_states_them(
        self, pattern: str | None, zone: str | None, text: str, meant: str
    ) -> None:
        layout = Layout(times=FileTimes.stated(pattern, zone))
        content = f"type;occurred_at;sent_at\nvisit;{text};\n".encode()
        assert items_of(content, layout) == [{"type": "visit", "occurred_at": meant}]
        line = f'{{"type": "visit", "occurred_at": "{text}"}}'.encode()
        assert items_of(line, layout) == [{"type": "visit", "occurred_at": meant}]

    def test_without_a_stated_zone_times_stay_as_they_are(self) -> None:
        content = b"type,occurred_at\nvisit,2026-01-31T13:05:09\n"
        assert items_of(content) == [{"type": "visit", "occurred_at": "2026-01-31T13:05:09"}]

    @pytest.mark.parametrize(
        ("pattern", "zone", "text", "complaint"),
        [
            (None, "Europe/Berlin", "31.01.2026", "state the time_format"),
            ("%d.%m.%Y", "Europe/Berlin", "2026-01-31", "31.01.2026"),
            ("%d.%m.%Y", None, "31.01.2026", "state the time_zone"),
        ],
    )
    def test_a_time_that_is_none_costs_its_line_and_says_what_would_be_right(
        self, pattern: str | None, zone: str | None, text: str, complaint: str
    ) -> None:
        layout = Layout(times=FileTimes.stated(pattern, zone))
        bad, good = rows_of(f"type,occurred_at\nvisit,{text}\nvisit,\n".encode(), layout)
        assert isinstance(bad, BadRow)
        assert complaint in bad.why
        assert bad.why.startswith(f"occurred_at '{text}'")
        assert good == Row(3, {"type": "visit"})

    @pytest.mark.parametrize(
        ("pattern", "zone", "path"),
        [
            ("%d.%m", None, "time_format"),
            ("%Q", None, "time_format"),
            ("%H:%M", None, "time_format"),
            (None, "Berlin", "time_zone"),
            (None, "+25:00", "time_zone"),
            (None, "../../etc/passwd", "time_zone"),
            (None, "\0", "time_zone"),
            (None, "Europe", "time_zone"),
        ],
    )
    def test_a_statement_that_makes_no_sense_is_refused(
        self, pattern: str | None, zone: str | None, path: str
    ) -> None:
        with pytest.raises(Invalid) as caught:
            FileTimes.stated(pattern, zone)
        assert caught.value.faults[0].path == path
