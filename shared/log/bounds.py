"""What a partition holds, and whether reading can go on at an offset of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import OffsetOutOfRange


@dataclass(frozen=True, slots=True)
class Bounds:
    """The offsets one partition holds: from ``first`` up to, not including, ``next``."""

    first: int
    next: int


def check_held(partition: int, offset: int, bounds: Mapping[int, Bounds]) -> None:
    """Return if reading *partition* can go on at *offset*.

    Raises:
        OffsetOutOfRange: records would be skipped, or none were ever there.
    """
    held = bounds.get(partition)
    if held is None:
        raise OffsetOutOfRange(
            f"there is no partition {partition}, only {', '.join(map(str, bounds))}",
            partition=partition,
        )
    if not held.first <= offset <= held.next:
        raise OffsetOutOfRange(
            f"partition {partition} holds the offsets from {held.first} to {held.next}; "
            f"{offset} lies outside",
            partition=partition,
        )
