"""Measuring: what operators see of the classifier, noted where it happens."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter

from services.classifier.claims import Tally
from services.classifier.counts import count_by_source
from services.classifier.reading import Arrival, Item, Refusal
from shared.instants import SECOND, Instant, Micros, instant_of
from shared.metrics import (
    CLASSIFIER_BATCH_SECONDS,
    CLASSIFIER_CLAIMS,
    CLASSIFIER_EPOCH,
    CLASSIFIER_LAG_EVENTS,
    CLASSIFIER_LAG_SECONDS,
    CLASSIFIER_PARTITION_LAG_SECONDS,
    CLASSIFIER_PROGRESS,
    CLASSIFIER_RECORDS,
    CLASSIFIER_STOPPED,
    EVENT_END_TO_END_SECONDS,
    QUARANTINED,
    SOURCE_LAST_RECEIVED,
    SOURCE_RECORDS,
)


@contextmanager
def measured_batch() -> Generator[None]:
    """Time the block as one batch if it succeeds."""
    began = perf_counter()
    yield
    CLASSIFIER_BATCH_SECONDS.observe(perf_counter() - began)


def note_batch(items: Sequence[Item], tally: Tally, now: Instant) -> None:
    """Note a committed batch: what became of its records, and how old its touchpoints were."""
    CLASSIFIER_PROGRESS.set(now / SECOND)
    CLASSIFIER_RECORDS.labels("stored").inc(tally.stored)
    CLASSIFIER_RECORDS.labels("duplicate").inc(tally.duplicate)
    CLASSIFIER_RECORDS.labels("quarantined").inc(tally.quarantined)
    CLASSIFIER_RECORDS.labels("erased").inc(tally.erased)
    for item in items:
        if isinstance(item, Arrival):
            age = now - instant_of(item.record.data.received_at)
            EVENT_END_TO_END_SECONDS.observe(max(age, 0) / SECOND)
        elif isinstance(item, Refusal):
            QUARANTINED.labels(item.data.reason).inc()
    for source, count in count_by_source(items, set()).items():
        SOURCE_RECORDS.labels(source, "accepted").inc(count.accepted)
        SOURCE_RECORDS.labels(source, "rejected").inc(count.rejected)
        if count.last_received_at is not None:
            SOURCE_LAST_RECEIVED.labels(source).set(count.last_received_at.timestamp())


def note_pending(partition: int, records: int, behind: Micros) -> None:
    """Note how many records of *partition* are not yet classified, and how old the last one was."""
    CLASSIFIER_LAG_EVENTS.labels(str(partition)).set(records)
    CLASSIFIER_PARTITION_LAG_SECONDS.labels(str(partition)).set(max(behind, 0) / SECOND)


def note_claim(partition: int, epoch: int) -> None:
    """Note that this process has taken *partition* over."""
    CLASSIFIER_CLAIMS.inc()
    CLASSIFIER_EPOCH.labels(str(partition)).set(epoch)


def note_left(partition: int) -> None:
    """Show nothing more of a partition that others own now."""
    for gauge in (CLASSIFIER_LAG_EVENTS, CLASSIFIER_PARTITION_LAG_SECONDS, CLASSIFIER_EPOCH):
        with suppress(KeyError):
            gauge.remove(str(partition))


def note_stopped(partitions: int) -> None:
    """Note how many partitions wait for an operator."""
    CLASSIFIER_STOPPED.set(partitions)


def note_watermark(watermark: Instant, now: Instant) -> None:
    """Note how far the watermark is behind the present."""
    CLASSIFIER_LAG_SECONDS.set(max(now - watermark, 0) / SECOND)
