"""Touchpoints in full, as timelines and explanations show them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import asyncpg
import msgspec

from services.api.moments import moment_told, told_in_json
from services.api.timeline import Position, TouchpointItem
from shared.journey.moves import Identity

SHOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "effective_at": "effective_at",
        "source": "source",
        "event_id": "event_id",
        "at": told_in_json("effective_at"),
        "received": told_in_json("received_at"),
        "occurred": told_in_json("occurred_at"),
        "sent": told_in_json("sent_at"),
        "channel": "channel",
        "type": "type",
        "body": "body::text",
        "text": "text",
        "topic": "claims.topic",
        "partition": "claims.partition",
        "log_offset": "log_offset",
    }
)
"""What ``touchpoint_item`` needs of touchpoints and their claims, as SQL by its name."""
SELECT_SHOWN: Final = "SELECT " + ", ".join(f"{sql} AS {name}" for name, sql in SHOWN.items())

_NAMED: Final = f"""{SELECT_SHOWN}
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


def touchpoint_item(row: Iterable[Any]) -> TouchpointItem:
    """Return a touchpoint as answers carry it.

    Args:
        row: What SHOWN names, in that order.
    """
    _, source, event_id, at, received, occurred, sent, channel, name, stored, text, *position = row
    body = _body.decode(stored)
    received_text = moment_told(received)
    return TouchpointItem(
        moment_told(at),
        received_text if occurred is None else moment_told(occurred),
        None if sent is None else moment_told(sent),
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
