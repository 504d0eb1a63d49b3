"""What is counted of items and appends; the metrics themselves stand in ``shared/metrics.py``."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter

import prometheus_client

from shared.metrics import INGEST_APPEND_SECONDS, INGEST_EVENTS, INGEST_INFLIGHT_EVENTS
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


@contextmanager
def measured_append(items: int) -> Generator[None]:
    """Measure how long *items* wait until they are durable."""
    INGEST_INFLIGHT_EVENTS.inc(items)
    started = perf_counter()
    try:
        yield
    finally:
        INGEST_INFLIGHT_EVENTS.dec(items)
        INGEST_APPEND_SECONDS.observe(perf_counter() - started)


@lru_cache
def _events(result: str, reason: str) -> prometheus_client.Counter:
    return INGEST_EVENTS.labels(result, reason)
