"""Poison: how much the classifier may refuse on its own before it stops a partition; pure.

One record that breaks the fold or the database goes to the quarantine alone. Many of them are a
bad deployment, and draining a topic into the quarantine would be worse than standing still.
"""

from collections import deque
from typing import Final

from shared.instants import MINUTE, Instant

MOST_IN_A_ROW: Final = 100
MOST_OF_A_MINUTE: Final = 0.2
FEWEST_TO_JUDGE: Final = 500
"""A share of fewer records than this says nothing."""


class PoisonLimit:
    """Counts one partition's records of the last minute."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._batches: deque[tuple[Instant, int, int]] = deque()

    def exceeded(self, at: Instant, outcomes: list[bool]) -> bool:
        """Take in a batch and tell whether the partition has to stop.

        Args:
            at: When the batch is classified.
            outcomes: For each record in order, whether it was poison.
        """
        longest = 0
        for poison in outcomes:
            self._in_a_row = self._in_a_row + 1 if poison else 0
            longest = max(longest, self._in_a_row)
        self._batches.append((at, len(outcomes), sum(outcomes)))
        while self._batches[0][0] <= at - MINUTE:
            self._batches.popleft()
        records = sum(count for _, count, _ in self._batches)
        poisoned = sum(count for _, _, count in self._batches)
        too_many = records >= FEWEST_TO_JUDGE and poisoned > records * MOST_OF_A_MINUTE
        return longest > MOST_IN_A_ROW or too_many
