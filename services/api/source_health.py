"""How sources do: what comes from each, compared with what usually does; pure."""

from dataclasses import dataclass
from typing import Final

from shared.instants import DAY, HOUR, SECOND, Instant, Micros, rfc3339
from shared.touchpoints import JsonObject

RECENT: Final[Micros] = DAY
"""What is looked at: the last day, up to the hour that is not over."""
USUAL: Final[Micros] = 7 * DAY
"""What it is compared with: the week before that."""
SILENT_AFTER: Final[Micros] = 3 * HOUR
FEWEST: Final = 20
"""Records from which on a share says something, and silence is one."""
SHARE: Final = 0.05
TIMES_USUAL: Final = 3.0

FAULTS: Final = ("rejected", "duplicate", "late", "unidentified", "conflicting")
EXPECTED: Final = frozenset({"unidentified"})
"""What a website sends most of: it is a sign only where it is far from usual."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Records of a time, and how many of them were what, by the names in FAULTS."""

    received: int
    faults: dict[str, int]

    def share(self, fault: str) -> float:
        """Return what part of the records was *fault*."""
        return self.faults[fault] / self.received if self.received else 0.0


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source: when it last sent, and what came in the last day and in the week before."""

    source: str
    last_received_at: Instant | None
    recent: Volume
    usual: Volume
    usual_hours: int
    """For how many hours of the week before there are counts; a new source has none."""

    def signs(self, now: Instant) -> list[str]:
        """Return what looks wrong: ``silent``, and shares that are high and unusual."""
        found = ["silent"] if self._is_silent(now) else []
        if self.recent.received < FEWEST:
            return found
        return found + [fault for fault in FAULTS if self._stands_out(fault)]

    def document(self, now: Instant) -> JsonObject:
        """Return the source as answers carry it."""
        last = self.last_received_at
        return {
            "source": self.source,
            "last_received_at": None if last is None else rfc3339(last),
            "silent_seconds": None if last is None else max(now - last, 0) // SECOND,
            "last_day": self.recent.received,
            "usual_day": round(self._usual_rate() * RECENT / HOUR, 1),
            "shares": {fault: round(self.recent.share(fault), 4) for fault in FAULTS},
            "usual_shares": {fault: round(self.usual.share(fault), 4) for fault in FAULTS},
            "signs": self.signs(now),
        }

    def _usual_rate(self) -> float:
        """Return how many records an hour usually has."""
        return self.usual.received / self.usual_hours if self.usual_hours else 0.0

    def _is_silent(self, now: Instant) -> bool:
        if self.last_received_at is None or now - self.last_received_at < SILENT_AFTER:
            return False
        return self._usual_rate() * (SILENT_AFTER / HOUR) >= FEWEST

    def _stands_out(self, fault: str) -> bool:
        usual = self.usual.share(fault)
        known = self.usual.received >= FEWEST
        if fault in EXPECTED and not known:
            return False
        return self.recent.share(fault) >= max(SHARE, TIMES_USUAL * usual if known else 0.0)
