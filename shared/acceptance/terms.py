"""What holds for all items of one request."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from shared.acceptance.times import FUTURE_TOLERATED, TEN_YEARS
from shared.identity.policy import Policy
from shared.instants import EPOCH, Instant, datetime_of
from shared.sources import Source

NewId: TypeAlias = Callable[[], UUID]
"""Returns an id that no one had before."""


_TEN_YEARS: Final = timedelta(microseconds=TEN_YEARS)
_FUTURE_TOLERATED: Final = timedelta(microseconds=FUTURE_TOLERATED)


class Terms(msgspec.Struct, frozen=True):
    """On which terms items are taken in; a struct because one is made for each request.

    ``corrects_skew`` is False where time passes between sending and receipt by design: files.
    ``historical`` marks a backfill, besides what the source's own setting says; ``format`` names
    the wire format where it is not the native one. What stands below it is never given: the time of
    receipt as records need it, the largest skew that is believed, and between which times there is
    nothing to remark on when something is said to have happened.
    """

    source: Source
    policy: Policy
    received_at: Instant
    new_id: NewId
    corrects_skew: bool = True
    historical: bool = False
    format: str | None = None
    received: datetime = EPOCH
    skew_limit: timedelta = timedelta()
    earliest_usual: datetime = EPOCH
    latest_usual: datetime = EPOCH

    def __post_init__(self) -> None:
        received = datetime_of(self.received_at)
        limit = timedelta(microseconds=self.source.settings.skew_limit)
        set_ = msgspec.structs.force_setattr
        set_(self, "received", received)
        set_(self, "skew_limit", limit)
        set_(self, "earliest_usual", max(EPOCH, received - _TEN_YEARS))
        set_(self, "latest_usual", received + _FUTURE_TOLERATED)
