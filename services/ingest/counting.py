"""What is counted of items; the metrics themselves stand in ``shared/metrics.py``."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import prometheus_client

from shared.metrics import INGEST_EVENTS
from shared.records import Record, RejectedRecord


def count_records(records: Sequence[Record]) -> None:
    """Count items that are durable now, rejected ones by their reason."""
    reasons = Counter(
        record.data.reason for record in records if isinstance(record, RejectedRecord)
    )
    accepted = len(records) - reasons.total()
    if accepted:
        _events("accepted", "").inc(accepted)
    for reason, number in reasons.items():
        _events("rejected", reason).inc(number)


def count_throttled(items: int) -> None:
    """Count items that were turned away because their source sends too many."""
    _events("throttled", "").inc(items)


@lru_cache
def _events(result: str, reason: str) -> prometheus_client.Counter:
    return INGEST_EVENTS.labels(result, reason)
