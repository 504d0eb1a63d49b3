"""Where one customer stands: the mutable state that a fold goes on from."""

from shared.instants import EARLIEST, Instant, Micros
from shared.journey.conditions import ActivityState
from shared.journey.histories import History
from shared.journey.needs import Needs, Seen
from shared.journey.undoing import UndoableHistory
from shared.touchpoints import JsonObject

NO_STAGE = 0
"""The slot of a customer without a stage; the slot of a stage is its rank + 1."""


class Situation:
    """Everything that the future of a journey depends on.

    Attributes:
        needs: Of each signal, by its position in the model; what histories are made from.
        last: The touchpoint applied last.
        settled_at: The latest deadline that was looked at; no touchpoint may be older.
        traits: Replaced, never changed in place, so that snapshots may share them.
        histories: By the signal's position; a signal that never matched has none.
        scores: Value and time of its last change, by the score's position.
        slot: Of the present stage.
        entered_by: The touchpoint that decided the entering move; None if a deadline did.
        activity: As conditions see it.
        reached: A bit for each rank entered so far.
        spent: Bases of leave rules, by their position, whose condition was false when due.
    """

    __slots__ = (
        "activity",
        "activity_since",
        "cycle",
        "entered_at",
        "entered_by",
        "entered_rule",
        "histories",
        "last",
        "last_active",
        "needs",
        "reached",
        "scores",
        "settled_at",
        "slot",
        "spent",
        "traits",
    )

    def __init__(self, needs: tuple[Needs, ...], scores: int) -> None:
        self.needs = needs
        self.last: Seen | None = None
        self.settled_at: Instant = EARLIEST - 1
        self.traits: JsonObject = {}
        self.histories: dict[int, History] = {}
        self.scores: list[tuple[float, Instant]] = [(0.0, EARLIEST)] * scores
        self.slot = NO_STAGE
        self.entered_at: Instant = EARLIEST
        self.entered_by: Seen | None = None
        self.entered_rule = ""
        self.cycle = 1
        self.activity: ActivityState | None = None
        self.activity_since: Instant = EARLIEST
        self.last_active: Seen | None = None
        self.reached = 0
        self.spent: dict[int, Instant] = {}

    def history(self, signal: int) -> History:
        """Return the matches of the signal at that position, none at first."""
        found = self.histories.get(signal)
        return self._begin(signal) if found is None else found

    def undoable(self, signal: int) -> UndoableHistory:
        """Return the matches of a signal that has ``undone_by``.

        Raises:
            TypeError: It has none.
        """
        found = self.history(signal)
        if not isinstance(found, UndoableHistory):
            raise TypeError(f"nothing undoes signal {signal}")
        return found

    def _begin(self, signal: int) -> History:
        needs = self.needs[signal]
        begun = History(needs) if needs.undo is None else UndoableHistory(needs, needs.undo)
        self.histories[signal] = begun
        return begun

    def merge_traits(self, traits: JsonObject) -> None:
        """Take over *traits*, the last writer of a key wins; null unsets it."""
        merged = {**self.traits, **traits}
        self.traits = {name: value for name, value in merged.items() if value is not None}

    def enter(self, slot: int, at: Instant, rule: str, by: Seen | None) -> None:
        """Move to the stage of *slot*; what was spent of the old one is dropped."""
        self.slot = slot
        self.entered_at = at
        self.entered_rule = rule
        self.entered_by = by
        self.reached |= 1 << (slot - 1)
        self.spent.clear()

    def score(self, index: int, at: Instant, half_life: Micros) -> float:
        """Return the score at that position, decayed to *at*."""
        value, changed_at = self.scores[index]
        return value * 2.0 ** ((changed_at - at) / half_life) if value else 0.0

    def add_points(self, points: tuple[tuple[int, float, Micros], ...], at: Instant) -> None:
        """Add points to scores, given with their half-life; no score falls below 0."""
        for index, added, half_life in points:
            value = self.score(index, at, half_life) + added
            self.scores[index] = (max(value, 0.0), at)
