"""Which partition a key belongs to: the rule of Kafka's Java client, for every log."""

import struct
from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_MASK: Final = 0xFFFF_FFFF
_WORD: Final = struct.Struct("<I")
_REMEMBERED_KEYS: Final = 16_384


def murmur2(key: bytes) -> int:
    """Return the 32 bit hash of *key*, as an unsigned number.

    Source: A. Appleby, MurmurHash2, with the seed of
        ``org.apache.kafka.common.utils.Utils.murmur2``.
    """
    whole = len(key) & ~3
    state = _SEED ^ len(key)
    for (word,) in _WORD.iter_unpack(key[:whole]):
        mixed = word * _MULTIPLIER & _MASK
        mixed = (mixed ^ mixed >> 24) * _MULTIPLIER & _MASK
        state = state * _MULTIPLIER & _MASK ^ mixed
    if whole < len(key):
        state = (state ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    state = (state ^ state >> 13) * _MULTIPLIER & _MASK
    return state ^ state >> 15


@lru_cache(_REMEMBERED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of *key* among *partitions* (at least 1).

    Any Kafka client with the default partitioner chooses the same, so customers stay where they
    are when a log moves. Recent keys are remembered: customers come back, and the hash costs more
    than all else that is done for a record in Python.
    """
    return (murmur2(key) & 0x7FFF_FFFF) % partitions
