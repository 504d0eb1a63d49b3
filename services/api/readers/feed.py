"""The feed: messages of the outbox in the order of ``seq``, and how far it reaches."""

from typing import Final, NamedTuple

import asyncpg

TRANSITION: Final = "journey.transition"
RETRACTION: Final = "journey.transition_retracted"

_BOUNDS: Final = "SELECT published, forgotten FROM feed"
_TRANSITIONS: Final = """
SELECT seq, feed_seq, type, data FROM outbox
 WHERE seq > $1 AND type IN ('journey.transition', 'journey.transition_retracted')
 ORDER BY seq LIMIT $2
"""


class FeedBounds(NamedTuple):
    """The last number that was given, and the last one whose message is no longer kept."""

    published: int
    forgotten: int


async def read_feed_bounds(connection: asyncpg.Connection) -> FeedBounds:
    """Return from where to where the feed can be read."""
    return FeedBounds(*await connection.fetchrow(_BOUNDS))


async def read_told_transitions(
    connection: asyncpg.Connection, after: int, limit: int
) -> list[asyncpg.Record]:
    """Return in order what was told and taken back behind *after*: both numbers, type and data."""
    rows: list[asyncpg.Record] = await connection.fetch(_TRANSITIONS, after, limit)
    return rows
