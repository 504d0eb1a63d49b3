"""What holds for all items of one request."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import msgspec

from shared.identity.policy import Policy
from shared.instants import EPOCH, Instant, datetime_of
from shared.sources import Source

NewId: TypeAlias = Callable[[], UUID]
"""Returns an id that no one had before."""


class Terms(msgspec.Struct, frozen=True):
    """On which terms items are taken in; a struct because one is made for each request.

    ``corrects_skew`` is False where time passes between sending and receipt by design: files.
    ``historical`` marks a backfill, besides what the source's own setting says. ``received`` is
    ``received_at`` as records need it; it is never given.
    """

    source: Source
    policy: Policy
    received_at: Instant
    new_id: NewId
    corrects_skew: bool = True
    historical: bool = False
    received: datetime = EPOCH

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "received", datetime_of(self.received_at))
