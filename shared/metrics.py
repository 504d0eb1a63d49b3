"""Every metric, once: its name, its unit and what it counts.

Names end in their unit; durations are seconds. No label has a value that a sender chooses freely.
"""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BATCH_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_END_TO_END_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)

HTTP_REQUESTS: Final = Counter(
    "http_requests_total",
    "Requests answered; 499 for those whose client was gone before.",
    ("route", "method", "code"),
)
HTTP_REQUEST_SECONDS: Final = Histogram(
    "http_request_duration_seconds",
    "From the end of a request's head to the end of its answer.",
    ("route",),
    buckets=_REQUEST_SECONDS,
)
HTTP_REFUSED: Final = Counter(
    "http_refused_total",
    "Connections ended because of how they spoke: too slow, too large, or two lengths at once.",
    ("code",),
)
AUTH_FAILURES: Final = Counter(
    "auth_failures_total", "Requests without a key that opens what they ask for.", ("reason",)
)
DIRECTORY_REFRESHED: Final = Gauge(
    "directory_refreshed_timestamp_seconds", "When keys and sources were last read."
)

INGEST_EVENTS: Final = Counter(
    "ingest_events_total",
    "Items of requests: accepted, rejected (with a reason), throttled, ignored.",
    ("result", "reason"),
)
INGEST_APPEND_SECONDS: Final = Histogram(
    "ingest_append_duration_seconds",
    "How long requests waited until their records were durable.",
    buckets=_REQUEST_SECONDS,
)
INGEST_INFLIGHT_EVENTS: Final = Gauge(
    "ingest_inflight_events", "Records handed to the log and not yet durable."
)

SPOOL_DEPTH_EVENTS: Final = Gauge(
    "spool_depth_events", "Records that wait in the spools of this process for the log."
)
SPOOL_BYTES: Final = Gauge("spool_bytes", "What these records take on the disk.")
SPOOL_OLDEST_AGE_SECONDS: Final = Gauge(
    "spool_oldest_age_seconds", "How long the oldest of them has waited; 0 when there is none."
)
SPOOL_SPOOLED: Final = Counter("spool_spooled_total", "Records that went into the spool.")
SPOOL_DRAINED: Final = Counter(
    "spool_drained_total", "Records that the log confirmed and the spool let go of."
)

KAFKA_PRODUCER_UP: Final = Gauge(
    "kafka_producer_up", "1 while there is a producer that appends to Kafka."
)
KAFKA_PRODUCER_REBUILDS: Final = Counter(
    "kafka_producer_rebuilds_total", "Producers given up because they may have been stuck."
)

CLASSIFIER_LAG_EVENTS: Final = Gauge(
    "classifier_lag_events", "Records of the log not yet classified.", ("partition",)
)
CLASSIFIER_LAG_SECONDS: Final = Gauge(
    "classifier_lag_seconds", "How far the watermark is behind the present."
)
CLASSIFIER_PARTITION_LAG_SECONDS: Final = Gauge(
    "classifier_partition_lag_seconds",
    "Age of the last record classified of a partition that has more; 0 when it is read to its end.",
    ("partition",),
)
CLASSIFIER_EPOCH: Final = Gauge(
    "classifier_claim_epoch", "Epoch of the claim that this process holds.", ("partition",)
)
CLASSIFIER_CLAIMS: Final = Counter(
    "classifier_claims_total", "Partitions taken over: at starts, and when others come or go."
)
CLASSIFIER_STOPPED: Final = Gauge(
    "classifier_stopped_partitions", "Partitions that wait for an operator."
)
CLASSIFIER_RECORDS: Final = Counter(
    "classifier_records_total",
    "Records read, by verdict: stored, duplicate, quarantined, erased.",
    ("verdict",),
)
CLASSIFIER_BATCH_SECONDS: Final = Histogram(
    "classifier_batch_duration_seconds", "Transactions of one batch.", buckets=_BATCH_SECONDS
)
CLASSIFIER_FENCED: Final = Counter(
    "classifier_fenced_total", "Batches given up because another process owns the partition now."
)
CLASSIFIER_PROGRESS: Final = Gauge(
    "classifier_last_progress_timestamp_seconds", "When a batch was last committed."
)
SOURCE_RECORDS: Final = Counter(
    "source_records_total",
    "Records read, by source and by what ingest had said: accepted, rejected.",
    ("source", "verdict"),
)
SOURCE_LAST_RECEIVED: Final = Gauge(
    "source_last_received_timestamp_seconds",
    "When the last record of a source that was read had been received.",
    ("source",),
)
EVENT_END_TO_END_SECONDS: Final = Histogram(
    "event_end_to_end_seconds",
    "From a touchpoint's arrival until it can be read.",
    buckets=_END_TO_END_SECONDS,
)
SHARED_IDENTIFIERS: Final = Gauge(
    "identity_shared_identifiers",
    "Identifiers with more than 50 refused links: devices that many people share.",
)
QUARANTINED: Final = Counter("quarantined_total", "Items put into the quarantine.", ("reason",))

API_REPLICA_UP: Final = Gauge(
    "api_replica_up", "Whether reads go to the replica; 0 also where there is none."
)
API_STREAMS: Final = Gauge("api_streams_open", "Streams of transitions that are open.")
WEBHOOK_ATTEMPTS: Final = Counter(
    "webhook_attempts_total",
    "Attempts to deliver a message: delivered, failed (another one follows), given_up, disabled.",
    ("result",),
)
WEBHOOK_ATTEMPT_SECONDS: Final = Histogram(
    "webhook_attempt_duration_seconds",
    "How long endpoints took to answer, or not to.",
    buckets=_BATCH_SECONDS,
)
WEBHOOK_WAITING: Final = Gauge(
    "webhook_waiting_events", "Messages that have to go to endpoints, over all of them."
)
WEBHOOK_FAILING: Final = Gauge(
    "webhook_failing_endpoints", "Endpoints whose last attempt failed; disabled ones left out."
)
OUTBOX_PUBLISHED: Final = Counter(
    "outbox_published_total", "Messages of the outbox that were given their number in the feed."
)
OUTBOX_LAG_SECONDS: Final = Gauge(
    "outbox_lag_seconds", "Age of the oldest message of the outbox without a number; 0 for none."
)

OUTBOX_RELAYED: Final = Counter(
    "outbox_relayed_total", "Messages of the outbox that the topic of transitions confirmed."
)

EVENT_LOOP_LAG_SECONDS: Final = Gauge(
    "event_loop_lag_seconds", "How much later than asked the event loop last woke up."
)
BUILD_INFO: Final = Gauge("build_info", "1, with the version that runs.", ("version",))


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count one request that took *seconds*.

    Args:
        route: The route's pattern, never the path as sent.
        method: In capitals.
        status: That it was answered with.
        seconds: From the end of its head to the end of its answer.
    """
    _requests(route, method, status).inc()
    _request_seconds(route).observe(seconds)


def note_build() -> None:
    """Set ``build_info`` to the version that is installed."""
    try:
        installed = version("journeyline")
    except PackageNotFoundError:
        installed = "unknown"
    BUILD_INFO.labels(installed).set(1)


@lru_cache(4_096)
def _requests(route: str, method: str, status: int) -> Counter:
    return HTTP_REQUESTS.labels(route, method, str(status))


@lru_cache(1_024)
def _request_seconds(route: str) -> Histogram:
    return HTTP_REQUEST_SECONDS.labels(route)
