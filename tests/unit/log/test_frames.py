"""Frames give back what was packed or tell of damage, and never leave a payload in a tree page."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import LogDamaged
from shared.log.frames import (
    LEAD_BYTES,
    PAGE_BYTES,
    appended_at_of,
    bytes_in_tree,
    checksum,
    pack,
    unpack,
)
from shared.log.port import LogRecord

partitions = st.integers(0, 1_023)
offsets = st.integers(0, 2**48 - 1)
instants = st.integers(-(2**63), 2**63 - 1)


@given(partitions, offsets, st.binary(), st.binary(max_size=3_000), instants)
def test_a_record_comes_back_as_it_was_packed(
    partition: int, offset: int, key: bytes, value: bytes, appended_at: int
) -> None:
    frame = pack(partition, offset, key, value, appended_at)
    assert unpack(partition, offset, frame) == LogRecord(partition, offset, key, value, appended_at)
    assert appended_at_of(frame[:LEAD_BYTES]) == appended_at


@given(st.binary(max_size=50), st.binary(max_size=2_000), st.data())
def test_a_flipped_bit_of_a_record_is_damage_that_names_its_place(
    key: bytes, value: bytes, data: st.DataObject
) -> None:
    frame = bytearray(pack(3, 77, key, value, 1))
    told = [*range(20), *range(LEAD_BYTES, LEAD_BYTES + len(key) + len(value))]
    frame[data.draw(st.sampled_from(told))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(LogDamaged, match="partition 3, offset 77"):
        unpack(3, 77, bytes(frame))


@pytest.mark.parametrize("size", [880, 900, 990, 1_900])
def test_a_length_that_was_flipped_up_beyond_the_frame_is_damage(size: int) -> None:
    frame = bytearray(pack(0, 0, b"", bytes(size), 1))
    frame[18] ^= 1
    with pytest.raises(LogDamaged):
        unpack(0, 0, bytes(frame))


@given(st.binary(max_size=2_000), st.data())
def test_a_frame_cut_off_within_its_record_is_damage(value: bytes, data: st.DataObject) -> None:
    frame = pack(0, 0, b"key", value, 1)
    record_end = LEAD_BYTES + len(b"key") + len(value)
    with pytest.raises(LogDamaged):
        unpack(0, 0, frame[: data.draw(st.integers(0, record_end - 1))])


@pytest.mark.parametrize("found", [None, 7, "text", 1.5])
def test_what_is_not_even_bytes_is_damage(found: object) -> None:
    with pytest.raises(LogDamaged):
        unpack(0, 0, found)


@pytest.mark.parametrize(("partition", "offset"), [(1, 5), (0, 6)])
def test_a_frame_found_in_another_place_is_damage(partition: int, offset: int) -> None:
    with pytest.raises(LogDamaged):
        unpack(partition, offset, pack(0, 5, b"k", b"v", 1))


def test_the_checksum_covers_everything_and_tells_the_key_from_the_value() -> None:
    checks = {
        checksum(0, 0, b"k", b"v", 0),
        checksum(1, 0, b"k", b"v", 0),
        checksum(0, 1, b"k", b"v", 0),
        checksum(0, 0, b"kv", b"", 0),
        checksum(0, 0, b"", b"kv", 0),
        checksum(0, 0, b"k", b"v", 1),
    }
    assert len(checks) == 6


@pytest.mark.parametrize("around", [0, 1_020, 2_040, 16_250])
def test_whatever_its_size_only_the_lead_of_a_frame_stays_in_the_tree(around: int) -> None:
    for size in range(around, around + 1_100):
        assert bytes_in_tree(len(pack(0, 0, b"", bytes(size), 0))) <= LEAD_BYTES


def test_sqlite_keeps_keys_and_values_out_of_the_tree_as_calculated(tmp_path: Path) -> None:
    path = tmp_path / "pages.sqlite"
    sizes = [*range(0, 2_300, 7), 16_000, 16_384, 100_000]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, frame BLOB)")
        connection.executemany(
            "INSERT INTO records VALUES (?, ?)",
            [(n, pack(0, n, b"\xaa" * 9, b"\xaa" * size, 0)) for n, size in enumerate(sizes)],
        )
        connection.commit()
    content = path.read_bytes()
    pages = [content[at : at + PAGE_BYTES] for at in range(0, len(content), PAGE_BYTES)]
    overflow = [page for page in pages if b"\xaa" * 9 in page]
    assert len(overflow) > len(sizes)
    # An overflow page begins with the big-endian number of the next one, a tree page with its type.
    assert {page[0] for page in overflow} == {0}
