"""Touchpoints in full, as timelines and explanations show them."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from services.api.moments import moment_text, optional_moment_text
from services.api.timeline import Position, TouchpointItem
from shared.journey.moves import Identity

_NAMED: Final = """
SELECT effective_at, received_at, occurred_at, sent_at, source, event_id, channel, type, body, text,
       claims.topic, claims.partition, log_offset
  FROM touchpoints
  JOIN unnest($1::text[], $2::text[]) AS wanted (source, event_id) USING (source, event_id)
  JOIN claims ON claims.id = claim_id
"""


class _Body(msgspec.Struct, frozen=True):
    """The ``body`` column; its objects go into answers as they are."""

    properties: msgspec.Raw = msgspec.Raw(b"{}")
    context: msgspec.Raw = msgspec.Raw(b"{}")
    traits: msgspec.Raw = msgspec.Raw(b"{}")
    identifiers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


_body: Final = msgspec.json.Decoder(_Body)


def touchpoint_item(row: asyncpg.Record) -> TouchpointItem:
    """Return a touchpoint as answers carry it.

    Args:
        row: The columns of ``_NAMED``, in that order.
    """
    at, received, occurred, sent, source, event_id, channel, name, stored, text, *position = row
    body = _body.decode(stored)
    at_text, received_text = moment_text(at), moment_text(received)
    if occurred is None:
        occurred_text = received_text
    else:  # a time that was not corrected for skew is written once
        occurred_text = at_text if occurred == at else moment_text(occurred)
    return TouchpointItem(
        at_text,
        occurred_text,
        optional_moment_text(sent),
        received_text,
        source,
        event_id,
        channel,
        name,
        body.properties,
        body.context,
        body.traits,
        text,
        body.flags,
        body.identifiers,
        Position(*position),
    )


async def read_touchpoints(
    connection: asyncpg.Connection, identities: Sequence[Identity]
) -> dict[Identity, TouchpointItem]:
    """Return the stored ones of *identities* in full."""
    sources, event_ids = [one.source for one in identities], [one.event_id for one in identities]
    items = map(touchpoint_item, await connection.fetch(_NAMED, sources, event_ids))
    return {Identity(item.source, item.event_id): item for item in items}
