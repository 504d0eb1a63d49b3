"""The feed of transitions over all customers: pages of it, and where the next one goes on.

A message gets its number after its transaction is over, and numbers have no gaps, so nothing ever
appears behind a cursor and whoever follows the cursors sees every transition exactly once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg
import msgspec

from services.api.cursors import Cursors
from services.api.readers.feed import RETRACTION, read_feed_bounds, read_told_transitions
from services.api.timeline import TransitionItem
from shared.errors import Unreadable

QUESTION: Final = ("transitions",)
"""What cursors of the feed and ids of the stream are for; they are the same."""
BEGINNING: Final = 0


class ToldTransition(TransitionItem, frozen=True, tag="transition"):
    """A transition as everybody was told of it; assertion ``n`` of ``id``.

    ``seq`` is its number in the feed, which has no gaps but those that erasures leave.
    ``historical`` ones were caused by a backfill.
    """

    customer_id: str
    historical: bool
    n: int
    seq: int


class ToldRetraction(ToldTransition, frozen=True, tag="retraction"):
    """Assertion ``n`` of ``id`` no longer holds, from ``superseded_at`` on."""


FeedItem: TypeAlias = ToldTransition | ToldRetraction


class FeedPage(msgspec.Struct, frozen=True):
    """Some items, and the cursor that goes on from them; at the end it waits for what comes."""

    items: Sequence[FeedItem]
    next: str


class FeedMark(msgspec.Struct, frozen=True, array_like=True):
    """The number of the last message that was read."""

    seq: int


class _Told(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What the outbox holds of a transition."""

    id: str
    n: int
    at: str
    axis: str
    kind: str
    from_: str | None
    to: str
    rule: str
    cycle: int
    cause: msgspec.Raw
    customer_id: str
    model: str
    version: str
    decided_at: str | None = None
    superseded_at: str | None = None
    historical: bool = False


@dataclass(frozen=True, slots=True)
class FeedSlice:
    """Messages in order, up to ``reached``, the number to go on behind; ``more`` may be there."""

    items: list[FeedItem]
    reached: int
    more: bool


_told: Final = msgspec.json.Decoder(_Told)


async def read_slice(connection: asyncpg.Connection, after: int, limit: int) -> FeedSlice:
    """Return up to *limit* transitions and retractions behind the message *after*.

    Args:
        connection: In a transaction that sees one state of the database.
        after: The number of a message; BEGINNING for everything that is kept.
        limit: At least 1.

    Raises:
        Unreadable: messages behind *after* are no longer kept.
    """
    bounds = await read_feed_bounds(connection)
    if BEGINNING < after < bounds.forgotten:
        raise Unreadable(
            "this cursor is older than what the feed keeps, so transitions behind it would be "
            "missed: read the customers anew (GET /v1/customers) and follow the feed from "
            "?start=latest, taken before that",
            code="cursor_expired",
        )
    rows = await read_told_transitions(connection, after, limit)
    more = len(rows) == limit
    reached = rows[-1]["seq"] if more else max(after, bounds.published)
    return FeedSlice([_item(row) for row in rows], reached, more)


def seal(cursors: Cursors, seq: int) -> str:
    """Return the cursor behind the message *seq*."""
    return cursors.seal(FeedMark(seq), QUESTION)


def unsealed(cursors: Cursors, cursor: str) -> int:
    """Return the number of the message that *cursor* is behind.

    Raises:
        Unreadable: it is no cursor of the feed.
    """
    return cursors.open(cursor, QUESTION, FeedMark).seq


def _item(row: asyncpg.Record) -> FeedItem:
    told = _told.decode(row["data"])
    kind = ToldRetraction if row["type"] == RETRACTION else ToldTransition
    return kind(
        id=told.id,
        at=told.at,
        decided_at=told.decided_at,
        axis=told.axis,
        move=told.kind,
        from_=told.from_,
        to=told.to,
        rule=told.rule,
        cycle=told.cycle,
        cause=told.cause,
        superseded_at=told.superseded_at,
        model=told.model,
        version=told.version,
        customer_id=told.customer_id,
        historical=told.historical,
        n=told.n,
        seq=row["feed_seq"],
    )
