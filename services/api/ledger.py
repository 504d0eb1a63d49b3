"""The ledger: that every record of the log ended as exactly one thing, or is still pending."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from shared.touchpoints import JsonObject


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Counts of records; ``log_end`` is all of them.

    Counted from the first offset that was ever read, which is 0 unless older records had left the
    log before.
    """

    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    erased: int = 0
    gaps: int = 0
    pending: int = 0

    @property
    def log_end(self) -> int:
        """How many offsets the log has had."""
        classified = self.stored + self.duplicate + self.quarantined + self.erased
        return classified + self.gaps + self.pending

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.quarantined + other.quarantined,
            self.erased + other.erased,
            self.gaps + other.gaps,
            self.pending + other.pending,
        )

    def document(self) -> JsonObject:
        """Return the counts as answers carry them."""
        return {
            "log_end": self.log_end,
            "stored": self.stored,
            "duplicate": self.duplicate,
            "quarantined": self.quarantined,
            "erased": self.erased,
            "gaps": self.gaps,
            "pending": self.pending,
        }


@dataclass(frozen=True, slots=True)
class PartitionClaim:
    """What a claim says of one partition: the next offset to read, and the counts before it.

    ``present`` is false for a partition of a log that is no longer in use.
    """

    topic: str
    partition: int
    next_offset: int
    classified: LedgerRow
    present: bool


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One partition's line in the ledger."""

    topic: str
    partition: int
    row: LedgerRow

    def document(self) -> JsonObject:
        """Return the line as answers carry it."""
        return {"topic": self.topic, "partition": self.partition, **self.row.document()}


def ledger_rows(
    claims: Iterable[PartitionClaim], log_ends: Mapping[int, int], topic: str
) -> list[PartitionRow]:
    """Set what was classified against what the log holds.

    Args:
        claims: All of them, read before *log_ends*, so that nothing can be classified twice.
        log_ends: For each partition of the log in use the offset its next record will get.
        topic: The name of the log in use.
    """
    rows: list[PartitionRow] = []
    unread = dict(log_ends)
    for claim in claims:
        pending = 0
        if claim.present and claim.partition in unread:
            pending = unread.pop(claim.partition) - claim.next_offset
        row = claim.classified + LedgerRow(pending=pending)
        rows.append(PartitionRow(claim.topic, claim.partition, row))
    never_read = (
        PartitionRow(topic, number, LedgerRow(pending=end)) for number, end in unread.items()
    )
    return sorted([*rows, *never_read], key=lambda row: (row.topic, row.partition))


def total(rows: Iterable[PartitionRow]) -> LedgerRow:
    """Return the sum of *rows*."""
    summed = LedgerRow()
    for partition in rows:
        summed += partition.row
    return summed
