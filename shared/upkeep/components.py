"""What is stored of customers of several identifiers, so that new links are single steps.

Whoever joins something to a customer has the customer's row here locked, after all identifiers; a
customer of one identifier has no row, the identifier's own lock stands for it.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from shared.identity.customers import Known
from shared.identity.identifiers import identifier_id
from shared.instants import datetime_of, instant_of
from shared.touchpoints import Identifier, Place

_LOCK: Final = """
SELECT FROM components
 WHERE customer_id IN (
       SELECT customer_id FROM identifiers
         JOIN unnest($1::text[], $2::text[]) AS wanted (kind, value) USING (kind, value))
 ORDER BY customer_id FOR UPDATE
"""
_KNOWN: Final = """
SELECT i.kind, i.value, own.kind AS own_kind, own.value AS own_value,
       c.counts, c.changed_at, c.changed_source, c.changed_event_id
  FROM unnest($1::text[], $2::text[]) AS wanted (kind, value)
  JOIN identifiers i ON i.kind = wanted.kind AND i.value = wanted.value
  JOIN identifiers own ON own.own_id = i.customer_id
  LEFT JOIN components c ON c.customer_id = i.customer_id
"""
_STORED: Final = """
SELECT customer_id, counts, changed_at, changed_source, changed_event_id
  FROM components WHERE customer_id = ANY($1)
"""
_SAVE: Final = """
INSERT INTO components (customer_id, counts, changed_at, changed_source, changed_event_id)
SELECT customer_id, counts::json, changed_at, changed_source, changed_event_id
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
    AS given (customer_id, counts, changed_at, changed_source, changed_event_id)
ON CONFLICT (customer_id) DO UPDATE
   SET counts = excluded.counts, changed_at = excluded.changed_at,
       changed_source = excluded.changed_source, changed_event_id = excluded.changed_event_id
"""
_DROP: Final = "DELETE FROM components WHERE customer_id = ANY($1)"


async def known_customers(
    connection: asyncpg.Connection, identifiers: Iterable[Identifier], *, locked: bool
) -> dict[Identifier, Known]:
    """Return whose each of *identifiers* is; one that is not enrolled is alone.

    Args:
        connection: In a transaction; with *locked*, one that has *identifiers* locked.
        identifiers: Of whom to tell.
        locked: Whether to keep others from joining anything to these customers.
    """
    wanted = sorted(set(identifiers))
    columns = ([each.kind for each in wanted], [each.value for each in wanted])
    if locked:
        await connection.execute(_LOCK, *columns)
    known = {each: Known.alone(each) for each in wanted}
    for row in await connection.fetch(_KNOWN, *columns):
        if row["counts"] is not None:
            own = Identifier(row["own_kind"], row["own_value"])
            known[Identifier(row["kind"], row["value"])] = Known(own, *_state(row))
    return known


async def store_components(
    connection: asyncpg.Connection, present: Iterable[Known], gone: Iterable[UUID]
) -> None:
    """Store *present* customers where they are others than before, and forget those *gone*.

    Of single identifiers, nothing is stored.
    """
    wanted = {identifier_id(each.canonical): each for each in present}
    rows = await connection.fetch(_STORED, [*wanted, *gone])
    stored = {row["customer_id"]: _state(row) for row in rows}
    several = {id_: each for id_, each in wanted.items() if each.changed is not None}
    dropped = sorted(stored.keys() - several.keys())
    if dropped:
        await connection.execute(_DROP, dropped)
    changed = [
        (
            id_,
            msgspec.json.encode(dict(counts), order="sorted").decode(),
            datetime_of(place.at),
            place.source,
            place.event_id,
        )
        for id_, (_, counts, place) in sorted(several.items())
        if place is not None and stored.get(id_) != (counts, place)
    ]
    if changed:
        await connection.execute(_SAVE, *(list(column) for column in zip(*changed, strict=True)))


def _state(row: asyncpg.Record) -> tuple[Mapping[str, int], Place]:
    counts = msgspec.json.decode(row["counts"], type=dict[str, int])
    place = Place(instant_of(row["changed_at"]), row["changed_source"], row["changed_event_id"])
    return counts, place
