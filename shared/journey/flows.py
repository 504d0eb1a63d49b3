"""Flows: how many customers stand in each stage of one model and in each of another; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from shared.journey.differing import Compared
from shared.journey.model import StageModel

Pair: TypeAlias = tuple[str | None, str | None]
"""A stage under the model compared with, and one under the model compared; None is no stage."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One cell of the matrix: its customers, and how many of them have another journey."""

    before: str | None
    after: str | None
    customers: int
    differ: int


class Flows:
    """The matrix as far as customers are counted.

    Args:
        cells: What was counted before.
    """

    def __init__(self, cells: Iterable[Flow] = ()) -> None:
        self._counts: dict[Pair, tuple[int, int]] = {
            (cell.before, cell.after): (cell.customers, cell.differ) for cell in cells
        }

    def add(self, compared: Compared) -> None:
        """Count one customer."""
        pair = compared.before.stage, compared.after.stage
        customers, differ = self._counts.get(pair, (0, 0))
        self._counts[pair] = customers + 1, differ + (compared.parting is not None)

    def __iter__(self) -> Iterator[Flow]:
        """Yield the cells that are not empty, in no order."""
        for (before, after), (customers, differ) in self._counts.items():
            yield Flow(before, after, customers, differ)

    @property
    def customers(self) -> int:
        """All customers counted."""
        return sum(customers for customers, _ in self._counts.values())

    @property
    def differ(self) -> int:
        """Those of them whose journeys differ."""
        return sum(differ for _, differ in self._counts.values())


def in_order(flows: Iterable[Flow], before: StageModel, after: StageModel) -> list[Flow]:
    """Sort *flows* by the ranks of their stages, no stage first."""
    ranks = [
        {None: -1, **{stage.key: stage.rank for stage in model.stages}} for model in (before, after)
    ]
    return sorted(flows, key=lambda flow: (ranks[0][flow.before], ranks[1][flow.after]))
