"""Timelines: the order of their items, and where a page of them goes on.

Items stand in the order of ``(at, kind, source, event_id, tie)``, text by code point. Everything
in that key is fixed when an item comes into being, so a page that begins behind a key can neither
repeat nor skip what was there before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from shared.instants import EARLIEST, LATEST, Instant, datetime_of, instant_of

Order: TypeAlias = Literal["desc", "asc"]

LAST_TEXT: Final = "\U0010ffff"
"""Sorts behind every source: the place of what no touchpoint caused."""


class Kind(StrEnum):
    """What happened; at one instant in this order."""

    IDENTITY = "identity"
    TOUCHPOINT = "touchpoint"
    TRANSITION = "transition"


class ItemKey(NamedTuple):
    """Where an item stands; ``tie`` tells items of one touchpoint apart."""

    at: datetime
    kind: str
    source: str
    event_id: str
    tie: str


class Position(msgspec.Struct, frozen=True):
    """Where in the log a touchpoint was read."""

    topic: str
    partition: int
    offset: int


class TouchpointItem(msgspec.Struct, frozen=True, tag_field="kind", tag="touchpoint"):
    """A touchpoint; ``at`` is its effective time, by which it stands in the journey."""

    at: str
    occurred_at: str
    sent_at: str | None
    received_at: str
    source: str
    event_id: str
    channel: str
    type: str
    properties: msgspec.Raw
    context: msgspec.Raw
    traits: msgspec.Raw
    text: str | None
    flags: tuple[str, ...]
    identifiers: tuple[str, ...]
    position: Position


class TransitionItem(
    msgspec.Struct, frozen=True, tag_field="kind", tag="transition", rename={"from_": "from"}
):
    """A move on one axis of the journey, with what it was decided by, and when.

    ``decided_at`` is None for a move that follows from what was known, but was not published yet.
    """

    id: str
    at: str
    decided_at: str | None
    axis: str
    move: str
    from_: str | None
    to: str
    rule: str
    cycle: int
    cause: msgspec.Raw
    superseded_at: str | None
    model: str
    version: str


Action: TypeAlias = Literal["linked", "unlinked", "refused", "barred", "unbarred"]
"""What happened to a pair of identifiers; barred and unbarred are pairs that nothing links."""


class IdentityItem(msgspec.Struct, frozen=True, tag_field="kind", tag="identity"):
    """Two identifiers were linked, kept apart by a guard, or taken apart by hand.

    It names the touchpoint that did it, or the actor and the reason.
    """

    at: str
    action: Action
    id: str
    a: str
    b: str
    source: str | None
    event_id: str | None
    reason: str | None
    actor: str | None


Item: TypeAlias = TouchpointItem | TransitionItem | IdentityItem
Keyed: TypeAlias = tuple[ItemKey, Item]


class TimelinePage(msgspec.Struct, frozen=True):
    """Some items, and the cursor of those that come after them, if any do.

    ``known_at`` is what was asked for, moved back to the settled point where it was later.
    """

    items: Sequence[Item]
    next: str | None
    known_at: str | None


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What the next page needs to know: the last key, and what the first page went by.

    ``known_at`` is when the first page was read; what was recorded later is left out.
    ``settled_at`` is not later: every transaction that began before it was over then. A move taken
    back since then may have stood on the first page's timeline, so it is still shown.
    ``identifiers`` are the row ids of the customer's identifiers at that time, ``version`` is that
    of the stage model. A database that has replayed the write-ahead log up to ``place`` has all
    that the first page showed; 0 where there was one database only.
    """

    at: Instant
    kind: str
    source: str
    event_id: str
    tie: str
    known_at: Instant
    settled_at: Instant
    identifiers: tuple[int, ...]
    version: str
    place: int = 0

    @property
    def key(self) -> ItemKey:
        """The key of the last item that was shown."""
        return ItemKey(datetime_of(self.at), self.kind, self.source, self.event_id, self.tie)


def mark_of(
    key: ItemKey,
    *,
    known_at: Instant,
    settled_at: Instant,
    identifiers: Iterable[int],
    version: str,
    place: int = 0,
) -> Mark:
    """Return the mark behind *key*."""
    return Mark(
        instant_of(key.at), *key[1:], known_at, settled_at, tuple(identifiers), version, place
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Which items of one kind may come next: ``start <= at < end``, and behind ``after``."""

    start: Instant
    end: Instant
    after: ItemKey | None = None

    def bound(self, order: Order) -> tuple[datetime, str, str, str]:
        """Return ``(at, source, event_id, tie)`` to be behind of, in *order*."""
        if self.after is not None:
            return (self.after.at, *self.after[2:])
        return (datetime_of(LATEST if order == "desc" else EARLIEST), "", "", "")

    def holds(self, key: ItemKey, order: Order) -> bool:
        """Return whether an item of this kind may come next."""
        place = (key.at, *key[2:])
        bound = self.bound(order)
        behind = place < bound if order == "desc" else place > bound
        return behind and datetime_of(self.start) <= key.at < datetime_of(self.end)


def window_of(kind: Kind, everything: Window, order: Order) -> Window:
    """Return what of *everything*, which is behind an item of any kind, *kind* has to offer.

    At the instant of that item, kinds that come before its own in *order* are through, kinds that
    come after it have not begun.
    """
    after = everything.after
    if after is None or after.kind == kind:
        return everything
    at = instant_of(after.at)
    through = (kind < after.kind) == (order == "asc")
    if order == "asc":
        start = at + 1 if through else at
        return replace(everything, start=max(everything.start, start), after=None)
    end = at if through else at + 1
    return replace(everything, end=min(everything.end, end), after=None)


def first_of(items: Iterable[Keyed], limit: int, order: Order) -> tuple[list[Keyed], bool]:
    """Return the first *limit* of *items* in *order*, and whether there are more."""
    ordered = sorted(items, key=lambda keyed: keyed[0], reverse=order == "desc")
    return ordered[:limit], len(ordered) > limit
