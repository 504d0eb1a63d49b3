"""Keys lie in the partitions where Kafka's Java client would put them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.log.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        (b"abc", 479_470_107),
    ],
)
def test_the_hash_agrees_with_the_vectors_of_kafkas_own_tests(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32
    assert partition_of(key, 1_000) == (signed & 0x7FFF_FFFF) % 1_000


@given(st.binary(max_size=100), st.integers(1, 1_024))
def test_every_key_has_one_partition_that_exists(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) in range(partitions)
    assert partition_of(key, partitions) == partition_of(bytes(bytearray(key)), partitions)


def test_customers_spread_evenly() -> None:
    counts = [0] * 8
    for number in range(8_000):
        counts[partition_of(b"user_id:%d" % number, 8)] += 1
    assert min(counts) > 800
    assert max(counts) < 1_200
