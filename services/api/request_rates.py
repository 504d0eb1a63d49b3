"""How many requests a key may make, and the headers that say how many are left.

Source: draft-ietf-httpapi-ratelimit-headers, ``RateLimit`` and ``RateLimit-Policy``.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock
from shared.http.problems import TooManyRequests
from shared.instants import SECOND
from shared.sources import RateLimit
from shared.token_bucket import TokenBucket

_PATTERN: Final = re.compile(r"([1-9]\d{0,6})(?:/([1-9]\d{0,4}))?", re.ASCII)
_STATE: Final = "rate_headers"


def parse_rate(text: str) -> RateLimit | None:
    """Read ``100``, requests a second, or ``600/60``, requests in so many seconds; "" is none.

    Raises:
        ValueError: *text* is neither.
    """
    if not text:
        return None
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("must be requests a second, such as 100, or in a time, such as 600/60")
    requests = int(match[1])
    return RateLimit(per_second=requests / int(match[2] or 1), burst=requests)


class RequestRates:
    """The buckets of this process by key; n processes together let n times as much pass."""

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, key_id: str, scope: Scope) -> None:
        """Count the request of *scope*, and note the headers of its answer.

        Raises:
            TooManyRequests: the key is over its rate.
        """
        if self._limit is None:
            return
        bucket = self._buckets.setdefault(key_id, TokenBucket(self._limit))
        now = self._clock()
        wait = bucket.take(1, now)
        seconds = math.ceil(bucket.full_in(now) / SECOND)
        window = round(self._limit.burst / self._limit.per_second)
        scope.setdefault("state", {})[_STATE] = {
            "RateLimit-Policy": f'"default";q={self._limit.burst};w={window}',
            "RateLimit": f'"default";r={bucket.left(now)};t={seconds}',
        }
        if wait:
            raise TooManyRequests(
                f"this key may make {self._limit.burst} requests in {window} s: wait a little",
                retry_after_seconds=wait / SECOND,
            )


def noted_headers(scope: Scope) -> Mapping[str, str]:
    """Return what ``RequestRates`` noted for the answer to the request of *scope*."""
    noted: Mapping[str, str] = scope.get("state", {}).get(_STATE, {})
    return noted


class RateHeaders:
    """Adds to the answers of *app* what ``RequestRates`` noted."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(noted_headers(scope))
            await send(message)

        await self.app(scope, receive, send_with_headers)
