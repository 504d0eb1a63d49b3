"""A token bucket: so much at once, and so much a second in the long run."""

from shared.instants import SECOND, Instant, Micros
from shared.sources import RateLimit


class TokenBucket:
    """Full at first, and filling up at its rate.

    It may be overdrawn: a request larger than the bucket passes when the bucket is full, and
    those after it wait the longer.
    """

    __slots__ = ("_full_at", "limit")

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._full_at: Instant = 0
        """When it will be full; how far that is off tells how many tokens are missing."""

    def take(self, tokens: int, now: Instant) -> Micros:
        """Take *tokens*, or none if there are too few.

        Returns:
            0 if they were taken, else in how many microseconds they can be.
        """
        token = SECOND / self.limit.per_second
        needed = min(tokens, self.limit.burst) * token
        missing = max(0.0, self._full_at - now)
        wait = missing + needed - self.limit.burst * token
        if wait > 0:
            return max(1, round(wait))
        self._full_at = round(now + missing + tokens * token)
        return 0

    def left(self, now: Instant) -> int:
        """Return how many tokens could be taken at *now*."""
        missing = max(0, self._full_at - now) * self.limit.per_second / SECOND
        return max(0, int(self.limit.burst - missing))

    def full_in(self, now: Instant) -> Micros:
        """Return in how many microseconds it is full again if nothing is taken."""
        return max(0, self._full_at - now)
