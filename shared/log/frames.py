"""Frames: a record as one blob, laid out so that SQLite can forget every byte of it.

An erased payload must leave no copy in the file. ``secure_delete`` zeroes cells that are dropped
and pages that become free; but when a page of the tree is split or merged, SQLite leaves copies of
the cells it moves in the unused part of the page, where nothing ever zeroes them. So a frame
begins with a lead that tells nothing about anyone and is padded such that SQLite keeps no more
than that lead in the tree: key and value lie on overflow pages, which are never split and only
freed whole. How much stays in the tree is laid down in the file format, whose letters U, X, M and
K are used here: https://www.sqlite.org/fileformat2.html#b_tree_pages.

A frame, little-endian: checksum u32, appended_at i64, length of key u32, length of value u32,
zeros up to ``LEAD_BYTES``, key, value, zeros.
"""

import struct
import zlib
from typing import Final

from shared.errors import LogDamaged
from shared.instants import Instant
from shared.log.port import LogRecord

PAGE_BYTES: Final = 1024
"""U, the page size of the file; a typical record fits on one overflow page."""

_MOST_LOCAL: Final = PAGE_BYTES - 35
"""X: a row up to this size stays in the tree as a whole."""
_LEAST_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
"""M: what stays in the tree of a larger row, unless its last overflow page can be saved."""

LEAD_BYTES: Final = _LEAST_LOCAL

_CELL_BYTES: Final = 16
"""What a row takes in the tree beside its payload: id, lengths, pointers."""

_LEAD: Final = struct.Struct(f"<IqII{LEAD_BYTES - 20}x")
_CHECKED: Final = struct.Struct("<IQqII")


def checksum(partition: int, offset: int, key: bytes, value: bytes, appended_at: Instant) -> int:
    """Return the CRC-32 over all that a record is, and over where it lies."""
    place = _CHECKED.pack(partition, offset, appended_at, len(key), len(value))
    return zlib.crc32(value, zlib.crc32(key, zlib.crc32(place)))


def pack(partition: int, offset: int, key: bytes, value: bytes, appended_at: Instant) -> bytes:
    """Return the frame of a record."""
    check = checksum(partition, offset, key, value, appended_at)
    lead = _LEAD.pack(check, appended_at, len(key), len(value))
    return b"".join((lead, key, value, bytes(_padding(len(key) + len(value)))))


def unpack(partition: int, offset: int, frame: object) -> LogRecord:
    """Read the frame found at *offset* of *partition*.

    Args:
        partition: Where it was found.
        offset: Where it was found.
        frame: What was found there: bytes, unless the file is damaged.

    Raises:
        LogDamaged: the frame is not what was packed for that place.
    """
    if isinstance(frame, bytes) and len(frame) >= LEAD_BYTES:
        check, appended_at, key_bytes, value_bytes = _LEAD.unpack_from(frame)
        value_at = LEAD_BYTES + key_bytes
        end = value_at + value_bytes
        key, value = frame[LEAD_BYTES:value_at], frame[value_at:end]
        if end <= len(frame) and check == checksum(partition, offset, key, value, appended_at):
            return LogRecord(partition, offset, key, value, appended_at)
    what = f"partition {partition}, offset {offset}: the checksum does not match"
    raise LogDamaged(what, partition=partition)


def appended_at_of(lead: bytes) -> Instant:
    """Return the time in the first ``LEAD_BYTES`` of a frame, unchecked."""
    _, appended_at, _, _ = _LEAD.unpack_from(lead)
    return int(appended_at)


def bytes_in_tree(frame_bytes: int) -> int:
    """Return how much of a row SQLite keeps in the tree if its only column is such a frame."""
    serial_type = 12 + 2 * frame_bytes
    header = 2 + (serial_type.bit_length() + 6) // 7
    payload = header + frame_bytes
    if payload <= _MOST_LOCAL:
        return payload
    spared = _LEAST_LOCAL + (payload - _LEAST_LOCAL) % (PAGE_BYTES - 4)  # K
    return spared if spared <= _MOST_LOCAL else _LEAST_LOCAL


def bytes_on_disk(content_bytes: int) -> int:
    """Return what a record takes of the file if key and value have *content_bytes* together."""
    frame_bytes = LEAD_BYTES + content_bytes + _padding(content_bytes)
    tree_bytes = bytes_in_tree(frame_bytes)
    pages = -(-max(0, frame_bytes - tree_bytes) // (PAGE_BYTES - 4))
    return tree_bytes + _CELL_BYTES + pages * PAGE_BYTES


def _padding(content_bytes: int) -> int:
    local = bytes_in_tree(LEAD_BYTES + content_bytes)
    # One byte more than may stay, and SQLite falls back to the least that it keeps.
    return 0 if local <= LEAD_BYTES else _MOST_LOCAL + 1 - local
