"""What every wire format is read with: a delivery in, documents or reasons out; pure.

An adapter is a function from a Delivery to an iterable of Reads. It knows one wire format and
nothing else: limits, normalisation, flags and the quarantine are the same for all of them and come
behind it (``judging.py``). An adapter may raise an error of ``shared/errors.py`` for the delivery
as a whole (no signature, not JSON); nothing of such a delivery is kept.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import msgspec

from shared.acceptance.native import Given
from shared.instants import Instant
from shared.sources import Source
from shared.touchpoints import JsonObject


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a sender.

    Attributes:
        body: Inflated; otherwise as sent, for signatures go over these bytes.
        headers: By name in lower case; the first of those that stand there twice.
        path: The segments of the path, decoded.
        query: The query string as sent, without its ``?``.
        received_at: Our own time of receipt.
        source: Whose touchpoints these are; its settings hold the secrets of its hooks.
        fetched: What was fetched for it from elsewhere, by address: an adapter cannot.
    """

    body: bytes
    headers: Mapping[bytes, bytes]
    path: tuple[str, ...]
    query: bytes
    received_at: Instant
    source: Source
    fetched: Mapping[str, bytes] = field(default_factory=dict)


class Document(msgspec.Struct, frozen=True):
    """An item brought into the native form, still to be judged.

    Attributes:
        item: The members of a native touchpoint (as in ``POST /v1/touchpoints``, null is absent);
            or a Given, from an adapter that decoded the item with the types of
            ``shared/acceptance/native.py``, so that its limits are checked, and that has no NUL.
        raw: What the sender sent for it; kept in the quarantine if it is refused.
    """

    item: JsonObject | Given
    raw: bytes


class Refused(msgspec.Struct, frozen=True):
    """An item that the adapter itself refuses; it goes to the quarantine.

    Attributes:
        code: Stable and snake_case.
        message: Names the sender's own field and says what would be right.
        raw: What the sender sent for it.
        path: The sender's field; empty for the item as a whole.
        event_id: The item's own id, if it has one.
    """

    code: str
    message: str
    raw: bytes
    path: str = ""
    event_id: str | None = None


class Ignored(msgspec.Struct, frozen=True):
    """Something that is no touchpoint, and known to be none; it is only counted.

    Attributes:
        reason: Stable and snake_case, one of few: it becomes a label of a metric.
    """

    reason: str


class Misfit(Exception):
    """An item that cannot be a touchpoint, for adapters to raise where they find out.

    ``path`` is the sender's field at fault; ``message`` names it and says what would be right.
    """

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.code = code
        self.message = f"{path} {message}".strip()

    def refused(self, raw: bytes, event_id: str | None = None) -> Refused:
        """Return the item as one that is refused."""
        return Refused(self.code, self.message, raw, self.path, event_id)


class Errands(NamedTuple):
    """What a vendor's deliveries need from elsewhere; whoever holds the adapter runs them.

    Each function names an address, or raises Unauthorized for a delivery that is worth none.

    Attributes:
        fetched_first: What the adapter will look for in ``Delivery.fetched``.
        visited_after: What is to be visited once the delivery was read; None for nothing.
    """

    fetched_first: Callable[[Delivery], str]
    visited_after: Callable[[Delivery], str | None]


Read: TypeAlias = Document | Refused | Ignored
"""What an adapter makes of one item of a delivery."""

Adapter: TypeAlias = Callable[[Delivery], Iterable[Read]]
"""Reads one wire format, item by item, in the order in which they were sent."""
