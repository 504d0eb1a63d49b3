"""Links in PostgreSQL: of each pair of identifiers its places, and how often it was seen."""

from collections.abc import Iterable, Mapping
from typing import Final

import asyncpg

from shared.identity.links import Bars, Link, Pair
from shared.instants import Instant, datetime_of, instant_of
from shared.touchpoints import Identifier, Place

_KNOWN: Final = """
SELECT DISTINCT ON (l.a_id, l.b_id)
       a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value,
       l.effective_at, l.source, l.event_id
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS wanted (a_kind, a_value, b_kind, b_value)
  JOIN identifiers a ON a.kind = wanted.a_kind AND a.value = wanted.a_value
  JOIN identifiers b ON b.kind = wanted.b_kind AND b.value = wanted.b_value
  JOIN links l ON l.a_id = a.id AND l.b_id = b.id
 ORDER BY l.a_id, l.b_id, l.effective_at, l.source, l.event_id
"""
_BARRED: Final = """
SELECT a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS wanted (a_kind, a_value, b_kind, b_value)
  JOIN identifiers a ON a.kind = wanted.a_kind AND a.value = wanted.a_value
  JOIN identifiers b ON b.kind = wanted.b_kind AND b.value = wanted.b_value
  JOIN bars ON bars.a_id = a.id AND bars.b_id = b.id AND bars.lifted_at IS NULL
"""
_REFUSED: Final = """
UPDATE links l SET refused = true
  FROM unnest($1::bigint[], $2::bigint[]) AS judged (a_id, b_id)
 WHERE l.a_id = judged.a_id AND l.b_id = judged.b_id AND NOT l.refused
"""
_INSERT: Final = """
INSERT INTO links (a_id, b_id, effective_at, source, event_id, recorded_at)
SELECT *, $6 FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
ON CONFLICT DO NOTHING
"""
_SEEN: Final = """
UPDATE links l SET seen = seen + 1
  FROM unnest($1::bigint[], $2::bigint[]) AS again (a_id, b_id)
 WHERE l.a_id = again.a_id AND l.b_id = again.b_id
"""


async def news_in(connection: asyncpg.Connection, made: Mapping[Pair, Link]) -> list[Link]:
    """Return those of *made* that link a new pair, or a known one at an earlier place."""
    if not made:
        return []
    rows = await connection.fetch(_KNOWN, *_names(made))
    known = {_pair(row): _place(row) for row in rows}
    return [link for pair, link in made.items() if pair not in known or link.place < known[pair]]


async def store_links(
    connection: asyncpg.Connection,
    made: Mapping[Pair, Link],
    row_ids: Mapping[Identifier, int],
    *,
    now: Instant,
) -> list[Link]:
    """Store the news in *made* and return them; of the others, count that they came again.

    Args:
        connection: In a transaction that has both identifiers of each pair locked.
        made: By pair, one link each.
        row_ids: Of all identifiers in *made*.
        now: When they are recorded.
    """
    news = await news_in(connection, made)
    again = made.keys() - {link.pair for link in news}
    if again:
        await connection.execute(_SEEN, *_ends(again, row_ids))
    if news:
        places = [(datetime_of(link.at), link.source, link.event_id) for link in news]
        columns = (list(column) for column in zip(*places, strict=True))
        ends = _ends((link.pair for link in news), row_ids)
        await connection.execute(_INSERT, *ends, *columns, datetime_of(now))
    return news


async def barred_among(connection: asyncpg.Connection, pairs: Iterable[Pair]) -> Bars:
    """Return those of *pairs*, of which there is at least one, that are barred."""
    return frozenset(_pair(row) for row in await connection.fetch(_BARRED, *_names(pairs)))


async def mark_refused(
    connection: asyncpg.Connection, pairs: Iterable[Pair], row_ids: Mapping[Identifier, int]
) -> None:
    """Mark all links of *pairs* as refused."""
    await connection.execute(_REFUSED, *_ends(pairs, row_ids))


def _names(pairs: Iterable[Pair]) -> Iterable[list[str]]:
    return (list(column) for column in zip(*[(*a, *b) for a, b in pairs], strict=True))


def _ends(pairs: Iterable[Pair], row_ids: Mapping[Identifier, int]) -> tuple[list[int], list[int]]:
    ids = [(row_ids[a], row_ids[b]) for a, b in pairs]
    return [a for a, _ in ids], [b for _, b in ids]


def _pair(row: asyncpg.Record) -> Pair:
    return (
        Identifier(row["a_kind"], row["a_value"]),
        Identifier(row["b_kind"], row["b_value"]),
    )


def _place(row: asyncpg.Record) -> Place:
    return Place(instant_of(row["effective_at"]), row["source"], row["event_id"])
