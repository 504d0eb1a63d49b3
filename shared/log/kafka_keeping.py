"""For how long a topic of Kafka keeps a record at most: what an erasure has to wait for."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.instants import HOUR, SECOND, Micros
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_preflight import settings_of
from shared.log.port import Keeping

_A_MILLISECOND: Final[Micros] = SECOND // 1_000
_DELAY: Final[Micros] = HOUR
"""Brokers look every five minutes for what is to go, and delete it a minute later."""


async def keeping_of(address: KafkaAddress, topics: Sequence[str]) -> Keeping:
    """Return how long the one of *topics* that keeps the longest does.

    Raises:
        LogUnavailable: Kafka cannot be asked, or lacks one of them.
    """
    return longest_kept({topic: await settings_of(address, topic) for topic in topics})


def longest_kept(topics: Mapping[str, Mapping[str, str]]) -> Keeping:
    """Return for how long a record may lie in one of *topics*, given their settings; pure.

    A segment is closed ``segment.ms`` after its first record at the latest, and goes as a whole
    once its last one is ``retention.ms`` old: https://kafka.apache.org/documentation/#topicconfigs.
    """
    longest = Keeping(0, "there is no topic")
    for topic, settings in topics.items():
        policy = settings.get("cleanup.policy", "delete")
        retention, segment = int(settings["retention.ms"]), int(settings["segment.ms"])
        if "delete" not in policy.split(",") or retention < 0:
            return Keeping(None, f"{topic} has cleanup.policy {policy}, retention.ms {retention}")
        kept = (segment + retention) * _A_MILLISECOND + _DELAY
        if longest.longest is None or kept > longest.longest:
            longest = Keeping(kept, f"{topic} has segment.ms {segment}, retention.ms {retention}")
    return longest
