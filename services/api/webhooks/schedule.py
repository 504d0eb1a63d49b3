"""When a message is sent again, and how long an endpoint that fails is left alone; pure."""

from email.utils import parsedate_to_datetime
from typing import Final

from shared.instants import DAY, HOUR, MINUTE, SECOND, Instant, Micros, instant_of

DELAYS: Final[tuple[Micros, ...]] = (
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""After the first attempt, after the second, …: the schedule of Standard Webhooks."""
JITTER: Final = 0.1
"""What part of a delay is added at most, so that what failed together does not come together."""
LONGEST_PAUSE: Final[Micros] = 5 * MINUTE
LONGEST_ASKED: Final[Micros] = DAY


def next_attempt(attempts: int, now: Instant, chance: float) -> Instant | None:
    """Return when a message is sent again that has failed so many times; None for never.

    Args:
        attempts: Failed ones so far, at least 1.
        now: The present.
        chance: A uniform draw from [0, 1].
    """
    if attempts > len(DELAYS):
        return None
    delay = DELAYS[attempts - 1]
    return now + delay + int(delay * JITTER * chance)


def pause_of(failures: int, now: Instant) -> Instant:
    """Return until when an endpoint is left alone after *failures*, at least 1, in a row."""
    return now + min(DELAYS[0] << min(failures - 1, 16), LONGEST_PAUSE)


def asked_pause(retry_after: str | None, now: Instant) -> Instant | None:
    """Return until when an endpoint asks to be left alone by its ``Retry-After`` header.

    Longer than a day is not believed; what cannot be read does not count.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        until = now + min(int(text[:9]) * SECOND, LONGEST_ASKED)
    else:
        try:
            until = instant_of(parsedate_to_datetime(text))
        except (TypeError, ValueError):
            return None
    return min(max(until, now), now + LONGEST_ASKED)
