"""What senders of other wire formats are answered; pure."""

from collections.abc import Sequence

import msgspec

from services.ingest.channels.contract import Ignored
from shared.records import Record, RejectedRecord


class Rejection(msgspec.Struct, frozen=True):
    """An item that is in the quarantine now; ``index`` is its place in the delivery."""

    index: int
    code: str
    message: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the items of a delivery; the items that are no touchpoints are in neither."""

    success: bool = True
    accepted: int
    rejected: list[Rejection]


def taken(outcomes: Sequence[Record | Ignored]) -> Taken:
    """Return the answer to a delivery whose items became *outcomes*, in order."""
    rejected = [
        Rejection(index, outcome.data.reason, outcome.data.message)
        for index, outcome in enumerate(outcomes)
        if isinstance(outcome, RejectedRecord)
    ]
    ignored = sum(isinstance(outcome, Ignored) for outcome in outcomes)
    return Taken(accepted=len(outcomes) - len(rejected) - ignored, rejected=rejected)
