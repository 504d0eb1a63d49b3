"""Verification of customers: links and bars are folded anew and compared with what is stored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import asyncpg
import msgspec

from shared.identity.components import Components, folded
from shared.identity.customers import Resolution
from shared.identity.links import Link
from shared.instants import instant_of
from shared.storage.policies import stored_policy
from shared.touchpoints import Identifier, Place

_IDENTIFIERS: Final = "SELECT id, kind, value, customer_id FROM identifiers"
_LINKS: Final = """
SELECT a_id, b_id, effective_at, source, event_id, refused,
       actor IS NOT NULL OR EXISTS (
           SELECT FROM touchpoints t WHERE t.source = links.source AND t.event_id = links.event_id
       ) AS has_reason
  FROM links
"""
_BARS: Final = "SELECT a_id, b_id FROM bars WHERE lifted_at IS NULL"
_COMPONENTS: Final = """
SELECT customer_id, counts, changed_at, changed_source, changed_event_id FROM components
"""
_STRAYS: Final = """
SELECT stored.id, stored.what
  FROM (SELECT id, 'a profile' AS what FROM customers
        UNION SELECT customer_id, 'a journey' FROM journeys
        UNION SELECT customer_id, 'a component' FROM components
        UNION SELECT customer_id, 'a transition' FROM transitions
               WHERE superseded_at IS NULL) stored
 WHERE NOT EXISTS (SELECT FROM identifiers WHERE customer_id = stored.id)
"""

Row: TypeAlias = asyncpg.Record


async def regrouping_differences(connection: asyncpg.Connection) -> list[tuple[str, str]]:
    """Return what of identifiers, links and customers is stored otherwise than it follows.

    Args:
        connection: In no transaction; writers may go on meanwhile.

    Returns:
        Pairs of a customer's id and what is wrong, as a sentence.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        policy = await stored_policy(connection)
        rows = await connection.fetch(_IDENTIFIERS)
        links = await connection.fetch(_LINKS)
        bars = await connection.fetch(_BARS)
        strays = await connection.fetch(_STRAYS)
        stored = await connection.fetch(_COMPONENTS)
    named = {row["id"]: Identifier(row["kind"], row["value"]) for row in rows}
    barred = frozenset((named[row["a_id"]], named[row["b_id"]]) for row in bars)
    made = [_link(row, named) for row in links]
    components = folded(made, barred, policy, alone=named.values())
    resolution = components.resolution()
    return [
        *_misplaced(rows, named, resolution),
        *_misjudged(links, made, resolution),
        *_miscounted(stored, components, resolution),
        *(
            (str(row["id"]), f"{row['what']} is stored of a customer with no identifier")
            for row in strays
        ),
    ]


def _misplaced(
    rows: Iterable[Row], named: Mapping[int, Identifier], resolution: Resolution
) -> Iterator[tuple[str, str]]:
    for row in rows:
        wanted = resolution.customer_of(named[row["id"]]).id
        if wanted != row["customer_id"]:
            yield str(row["customer_id"]), f"{named[row['id']]} belongs to customer {wanted}"


def _misjudged(
    rows: Sequence[Row], made: Sequence[Link], resolution: Resolution
) -> Iterator[tuple[str, str]]:
    refused = {link.pair for link in resolution.refused}
    for row, link in zip(rows, made, strict=True):
        customer_id = str(resolution.customer_of(link.a).id)
        if row["refused"] != (link.pair in refused):
            wanted = "refused" if link.pair in refused else "not refused"
            yield customer_id, f"the link of {link.a} and {link.b} is {wanted}"
        if not row["has_reason"]:
            yield customer_id, f"the link of {link.a} and {link.b} follows from no touchpoint"


def _miscounted(
    rows: Iterable[Row], components: Components, resolution: Resolution
) -> Iterator[tuple[str, str]]:
    """Find customers whose state, from which new links go on, is not that of the fold.

    Links that arrived late may have made the place of the last join a later one, never earlier.
    """
    stored = {row["customer_id"]: row for row in rows}
    for customer in resolution.customers:
        known, row = components.known(customer), stored.get(customer.id)
        if known.changed is None or row is None:
            right = known.changed is None and row is None
        else:
            place = (instant_of(row["changed_at"]), row["changed_source"], row["changed_event_id"])
            counts = msgspec.json.decode(row["counts"], type=dict[str, int])
            right = counts == known.counts and place >= known.changed
        if not right:
            yield str(customer.id), "what is kept of its identifiers is not what they are"


def _link(row: Row, named: Mapping[int, Identifier]) -> Link:
    place = Place(instant_of(row["effective_at"]), row["source"], row["event_id"])
    return Link.of(named[row["a_id"]], named[row["b_id"]], place)
