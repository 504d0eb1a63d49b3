"""What remains after an erasure where nothing reads it any more, and until when; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.instants import DAY, HOUR, MINUTE, SECOND, Instant, Micros, rfc3339
from shared.log.port import Keeping
from shared.touchpoints import JsonObject

EMBEDDED_COPIES: Final[Micros] = HOUR
"""The embedded log is swept at once, and again every ten minutes."""
SPOOLED: Final[Micros] = MINUTE
"""An ingest looks every five seconds."""
UNHEARD: Final[Micros] = 30 * SECOND
"""After which an ingest that tells of its spool every five seconds counts as gone."""
DEAD_ROWS: Final[Micros] = DAY
WRITE_AHEAD_LOG: Final[Micros] = 7 * DAY

_EMBEDDED: Final = "records of the log, which are overwritten in place"
_KAFKA: Final = "records of the Kafka topics, which go with their segments"
_UNKNOWN: Final = "segment.ms and then retention.ms after they were written; Kafka did not say what"
_SPOOL: Final = (
    "what an ingest holds on its own disk until Kafka is back, which is overwritten there by every "
    "ingest that runs and reaches the database"
)
_DEAD_ROWS: Final = "deleted rows in the database's files, until they are vacuumed"
_WRITE_AHEAD_LOG: Final = "the database's own log; backups are yours"


@dataclass(frozen=True, slots=True)
class Unheard:
    """A spool with records whose ingest has not been heard of since ``seen_at``."""

    name: str
    seen_at: Instant


@dataclass(frozen=True, slots=True)
class Remains:
    """What is known of it when a customer is erased.

    ``on_kafka`` tells where the log is; only with Kafka has an ingest a spool. ``keeping`` is None
    if Kafka could not be asked.
    """

    on_kafka: bool = False
    keeping: Keeping | None = None
    unheard: Sequence[Unheard] = field(default=())

    def told(self, at: Instant) -> list[JsonObject]:
        """Return it for a certificate of *at*; ``gone_by`` is None where nobody can tell."""
        log = (
            [("log_copies", *self._kafka()), ("spool", *self._spool())]
            if self.on_kafka
            else [("log_copies", _EMBEDDED, EMBEDDED_COPIES)]
        )
        left: list[tuple[str, str, Micros | None]] = [
            *log,
            ("dead_rows", _DEAD_ROWS, DEAD_ROWS),
            ("write_ahead_log", _WRITE_AHEAD_LOG, WRITE_AHEAD_LOG),
        ]
        return [
            {"what": what, "detail": detail, "gone_by": after and rfc3339(at + after)}
            for what, detail, after in left
        ]

    def _kafka(self) -> tuple[str, Micros | None]:
        if self.keeping is None:
            return f"{_KAFKA}, {_UNKNOWN}", None
        if self.keeping.longest is None:
            return f"{_KAFKA}, and these never go: {self.keeping.why}", None
        return f"{_KAFKA}: {self.keeping.why}", self.keeping.longest

    def _spool(self) -> tuple[str, Micros | None]:
        if not self.unheard:
            return _SPOOL, SPOOLED
        names = ", ".join(f"{one.name} since {rfc3339(one.seen_at)}" for one in self.unheard)
        return f"{_SPOOL}; not heard of: {names}, swept when an ingest opens it", None
