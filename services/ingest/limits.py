"""How much senders may send, and how much this process holds of it at once."""

from typing import Final

from shared.clock import Clock
from shared.errors import Overloaded
from shared.http.problems import TooManyRequests
from shared.instants import SECOND
from shared.sources import Source
from shared.token_bucket import TokenBucket

MOST_BYTES_IN_FLIGHT: Final = 64 << 20
"""Enough for three of the largest requests, inflated, or for thousands of usual ones."""


class RateLimits:
    """The buckets of this process, by source; n processes together let n times as much pass."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, source: Source, items: int) -> None:
        """Count *items* of *source*; a request without any counts as one.

        Raises:
            TooManyRequests: The source is over its rate, and nothing was counted.
        """
        limit = source.settings.rate_limit
        if limit is None:
            return
        bucket = self._buckets.get(source.name)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[source.name] = TokenBucket(limit)
        wait = bucket.take(max(1, items), self._clock())
        if wait:
            raise TooManyRequests(
                f"the source {source.name} may send {limit.per_second:g} touchpoints a second: "
                "send these again a little later",
                retry_after_seconds=wait / SECOND,
            )


class BytesInFlight:
    """What requests hold in memory together, from their first byte until they are answered."""

    __slots__ = ("_held", "_most")

    def __init__(self, most: int = MOST_BYTES_IN_FLIGHT) -> None:
        self._most = most
        self._held = 0

    def hold(self, size: int) -> "Hold":
        """Hold *size* bytes until the returned context is left.

        Raises:
            Overloaded: Together with all others it is too much.
        """
        if self._held + size > self._most:
            raise Overloaded("too much is being taken in at once: send this again in a moment")
        self._held += size
        return Hold(self, size)

    def release(self, size: int) -> None:
        """Hold *size* bytes less."""
        self._held -= size


class Hold:
    """Some bytes in flight; a class because each request enters two of them."""

    __slots__ = ("_in_flight", "_size")

    def __init__(self, in_flight: BytesInFlight, size: int) -> None:
        self._in_flight = in_flight
        self._size = size

    def __enter__(self) -> None:
        """Do nothing: the bytes are held already."""

    def __exit__(self, *_: object) -> None:
        """Let them go."""
        self._in_flight.release(self._size)
