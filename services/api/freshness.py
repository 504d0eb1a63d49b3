"""Freshness: how far what an answer says reaches towards the present."""

from dataclasses import dataclass, replace
from typing import Final, Self

from shared.instants import SECOND, Instant, Micros, rfc3339
from shared.touchpoints import JsonObject

STALE_AFTER: Final[Micros] = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Freshness:
    """Everything received before ``as_of`` is in the answer; None while nobody can tell.

    Nobody can while there is a partition of the log that has never been read to its end.
    ``timers_overdue`` belongs to answers from published state: how many deadlines that have
    passed are not in it yet.
    """

    as_of: Instant | None
    lag: Micros | None
    timers_overdue: int | None = None

    @property
    def stale(self) -> bool:
        """Whether the answer is more than ten seconds behind, or how far is not known."""
        return self.lag is None or self.lag > STALE_AFTER

    def document(self) -> JsonObject:
        """Return what answers carry."""
        document: JsonObject = {
            "as_of": None if self.as_of is None else rfc3339(self.as_of),
            "lag_seconds": None if self.lag is None else round(self.lag / SECOND, 3),
            "stale": self.stale,
        }
        if self.timers_overdue is not None:
            document["timers_overdue"] = self.timers_overdue
        return document

    def with_overdue(self, timers: int) -> Self:
        """Return the freshness of published state that lacks so many deadlines."""
        return replace(self, timers_overdue=timers)


def freshness(now: Instant, watermark: Instant | None) -> Freshness:
    """Return how fresh an answer given at *now* is.

    Args:
        now: The present.
        watermark: The time up to which every partition has been read; None if unknown.
    """
    if watermark is None:
        return Freshness(None, None)
    as_of = min(now, watermark)
    return Freshness(as_of, now - as_of)
