"""What is counted of items; the metrics themselves stand in ``shared/metrics.py``."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from prometheus_client import Counter

from services.ingest.channels.contract import Ignored
from shared.metrics import INGEST_EVENTS
from shared.records import Record, RejectedRecord


def count_records(records: Sequence[Record]) -> None:
    """Count items that are durable now, rejected ones by their reason."""
    rejected = [record for record in records if isinstance(record, RejectedRecord)]
    if len(rejected) < len(records):
        _events("accepted", "").inc(len(records) - len(rejected))
    for record in rejected:
        _events("rejected", record.data.reason).inc()


def count_ignored(items: Iterable[Ignored]) -> None:
    """Count what was no touchpoint, by its reason."""
    for item in items:
        _events("ignored", item.reason).inc()


def count_throttled(items: int) -> None:
    """Count items that were turned away because their source sends too many."""
    _events("throttled", "").inc(items)


@lru_cache
def _events(result: str, reason: str) -> Counter:
    return INGEST_EVENTS.labels(result, reason)
