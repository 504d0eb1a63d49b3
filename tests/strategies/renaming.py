"""Renaming the keys of a model, and the journeys under it, one to one.

Names are swapped among themselves: a name that the engine mixes up with another leads to a valid
but different journey, and so is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.strategies.stage_conditions import Document
from tests.strategies.stage_models import SIGNALS, STAGES

_RULES = tuple(f"rule_{number}" for number in range(24))


@dataclass(frozen=True)
class Renaming:
    """New names for stages, signals and rules."""

    stages: Mapping[str, str]
    signals: Mapping[str, str]
    rules: Mapping[str, str]

    def document(self, document: Document) -> Document:
        """Return the model *document* with all keys renamed."""
        renamed = {
            **document,
            "signals": {
                self.signals[key]: self._signal(one) for key, one in document["signals"].items()
            },
            "start": self.stages[document["start"]],
            "stages": [self._stage(stage) for stage in document["stages"]],
            "lineage": {
                old: [self.stages[key] for key in new] for old, new in document["lineage"].items()
            },
        }
        if "scores" in document:
            renamed["scores"] = {
                key: {**one, "points": self._by_signal(one["points"])}
                for key, one in document["scores"].items()
            }
        if "cycle" in document:
            renamed["cycle"] = {"restart": [self._rule(r) for r in document["cycle"]["restart"]]}
        return renamed

    def _by_signal(self, values: Document) -> Document:
        return {self.signals[key]: value for key, value in values.items()}

    def _signal(self, signal: Document) -> Document:
        if "undone_by" not in signal:
            return signal
        undo = signal["undone_by"]
        return {**signal, "undone_by": {**undo, "signal": self.signals[undo["signal"]]}}

    def _stage(self, stage: Document) -> Document:
        rules: Document = {
            part: [self._rule(rule) for rule in stage[part]]
            for part in ("enter", "leave")
            if part in stage
        }
        return {**stage, **rules, "key": self.stages[stage["key"]]}

    def _rule(self, rule: Document) -> Document:
        renamed = {**rule, "rule": self.rules[rule["rule"]]}
        if "to" in rule:
            renamed["to"] = self.stages[rule["to"]]
        if "from" in rule:
            renamed["from"] = [self.stages.get(key, key) for key in rule["from"]]
        if "without" in rule:
            renamed["without"] = [self.signals[key] for key in rule["without"]]
        if "when" in rule:
            renamed["when"] = self._condition(rule["when"])
        return renamed

    def _condition(self, condition: Document) -> Document:
        renamed = dict(condition)
        for joined in ("all", "any"):
            if joined in condition:
                renamed[joined] = [self._condition(part) for part in condition[joined]]
        if "not" in condition:
            renamed["not"] = self._condition(condition["not"])
        if "signal" in condition:
            renamed["signal"] = self.signals[condition["signal"]]
        if "reached" in condition:
            renamed["reached"] = self.stages[condition["reached"]]
        return renamed

    def journey(self, journey: Document) -> Document:
        """Return *journey* as it is told under the renamed model."""
        return {
            **journey,
            "stage": journey["stage"] and self._present(journey["stage"]),
            "peak_stage": journey["peak_stage"] and self.stages[journey["peak_stage"]],
            "next": journey["next"] and self._move(journey["next"]),
            "transitions": [self._move(move) for move in journey["transitions"]],
            "counts": self._by_signal(journey["counts"]),
        }

    def _present(self, stage: Document) -> Document:
        key = self.stages[stage["key"]]
        rule = self.rules.get(stage["rule"], stage["rule"])
        by_default = stage["label"] == stage["key"].capitalize()
        label = key.capitalize() if by_default else stage["label"]
        return {**stage, "key": key, "label": label, "rule": rule}

    def _move(self, move: Document) -> Document:
        if move["axis"] == "activity":
            return move
        renamed = {**move, "to": self.stages[move["to"]]}
        renamed["rule"] = self.rules.get(move["rule"], move["rule"])
        if "from" in move:
            renamed["from"] = move["from"] and self.stages[move["from"]]
        return renamed


def renamings() -> st.SearchStrategy[Renaming]:
    """Swaps of the names of drawn models."""

    def swaps(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
        return st.permutations(names).map(lambda new: dict(zip(names, new, strict=True)))

    return st.builds(Renaming, swaps(STAGES), swaps(SIGNALS), swaps(_RULES))
