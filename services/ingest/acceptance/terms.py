"""What holds for all items of one request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of
from shared.sources import Source

NewId: TypeAlias = Callable[[], UUID]
"""Returns an id that no one had before."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms items are taken in.

    ``corrects_skew`` is False where time passes between sending and receipt by design: files.
    ``historical`` marks a backfill, besides what the source's own setting says.
    """

    source: Source
    policy: Policy
    received_at: Instant
    new_id: NewId
    corrects_skew: bool = True
    historical: bool = False
    received: datetime = field(init=False, repr=False, compare=False)
    """``received_at`` for the records."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "received", datetime_of(self.received_at))
