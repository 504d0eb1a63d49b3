"""A stage model compiled for folding.

What a touchpoint can set off depends first on its shape and then on the signals it matches. Both
are worked out once and remembered: a *reaction* for each shape, a *plan* for each set of matched
signals, which holds only the rules that those signals trigger. So a model with 200 signals costs
little more than one with ten.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from shared.instants import Instant, Micros
from shared.journey.evaluation import Holds, Positions, compile_condition
from shared.journey.matchers import Shape, compile_matcher
from shared.journey.model import StageModel
from shared.journey.plans import Looks, Plan, Reaction
from shared.journey.requirements import needs_of
from shared.journey.rules import (
    TouchpointRule,
    compile_enter_rules,
    compile_leave_rules,
    compile_restart_rules,
    slots_of,
    start_rule,
)
from shared.journey.situation import Situation
from shared.touchpoints import JsonObject, Touchpoint

MOST_REMEMBERED: Final = 10_000
"""Reactions, and plans, kept at a time: types come from outside and may be many."""


class Program:
    """A compiled model; shared by all folds, and never changed by them but for what it remembers.

    Attributes:
        model: What it was compiled from.
        positions: Where the model's keys stand in a situation.
        slots: Of the stage keys.
        keys: The stage key of each slot, the empty text for no stage.
        start: What gives a customer a stage when no rule does.
        leaving: The leave rules of each slot.
    """

    def __init__(self, model: StageModel) -> None:
        self.model = model
        self.positions = _positions(model)
        self.slots = slots_of(model)
        self.keys = ("", *(stage.key for stage in model.stages))
        self.needs = needs_of(model)
        self.start = start_rule(self.slots[model.start])
        self.leaving = compile_leave_rules(model, self.positions)
        self._enters = compile_enter_rules(model, self.positions)
        self._restarts = compile_restart_rules(model, self.positions)
        matchers = [signal.match for signal in model.signals]
        ignore = model.activity.ignore
        self._by_source = any(
            matcher.looks_at_source for matcher in (*matchers, *([ignore] if ignore else []))
        )
        self._reactions: dict[tuple[str, ...], Reaction] = {}
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._summed = tuple(
            index
            for index, need in enumerate(self.needs)
            if any(asked.within is not None for asked in need.sums)
        )
        self._undone_by = _undone_by(model, self.positions)
        self.points = _points(model, self.positions)

    @property
    def shapes_known(self) -> int:
        """How many shapes of touchpoints are remembered at present."""
        return len(self._reactions)

    def new_situation(self) -> Situation:
        """Return the situation of a customer nothing is known of."""
        return Situation(self.needs, len(self.model.scores))

    def meaning(self, touchpoint: Touchpoint, traits: JsonObject) -> tuple[Plan, bool]:
        """Return the plan for *touchpoint*, and whether it is a sign of life.

        Args:
            touchpoint: Any.
            traits: The customer's, with those of *touchpoint* merged in.
        """
        key: tuple[str, ...] = (touchpoint.type, touchpoint.channel)
        if self._by_source:
            key = (*key, touchpoint.source)
        reaction = self._reactions.get(key) or self._react(key, touchpoint)
        plan = reaction.plan
        if plan is None:
            matched = [index for index, test in reaction.open if test(touchpoint, traits)]
            plan = self.plan(tuple(sorted([*reaction.certain, *matched])))
        ignored = reaction.ignored
        return plan, reaction.alive and (ignored is None or not ignored(touchpoint, traits))

    def _react(self, key: tuple[str, ...], touchpoint: Touchpoint) -> Reaction:
        """Work out the reaction to a shape and remember it."""
        shape = Shape(touchpoint.type, touchpoint.channel, touchpoint.source)
        tests = [
            (index, compile_matcher(signal.match, shape))
            for index, signal in enumerate(self.model.signals)
        ]
        certain = tuple(index for index, test in tests if test is True)
        unsure = tuple((index, test) for index, test in tests if not isinstance(test, bool))
        ignore = self.model.activity.ignore
        ignored = compile_matcher(ignore, shape) if ignore is not None else False
        reaction = Reaction(
            plan=None if unsure else self.plan(certain),
            certain=certain,
            open=unsure,
            alive=ignored is not True,
            ignored=None if isinstance(ignored, bool) else ignored,
        )
        if len(self._reactions) >= MOST_REMEMBERED:
            self._reactions.clear()
        self._reactions[key] = reaction
        return reaction

    def plan(self, live: tuple[int, ...]) -> Plan:
        """Return the plan for live matches of the signals at these positions, in order."""
        plan = self._plans.get(live)
        if plan is None:
            if len(self._plans) >= MOST_REMEMBERED:
                self._plans.clear()
            plan = self._plans[live] = self._make_plan(live)
        return plan

    def _make_plan(self, live: tuple[int, ...]) -> Plan:
        signals = [self.model.signals[index] for index in live]
        keys = frozenset(signal.key for signal in signals)
        needs = [(index, self.needs[index]) for index in live]
        undoing = tuple(sorted({undone for index in live for undone in self._undone_by[index]}))
        rich = tuple(index for index, need in needs if not need.plain and need.undo is None)
        undoable = tuple(index for index, need in needs if need.undo is not None)
        restarts, enters = self._looks(self._restarts, keys), self._looks(self._enters, keys)
        triggers = any(restarts) or any(enters)
        summed = self._summed if triggers else ()
        return Plan(
            live=live,
            simple=tuple(index for index, need in needs if need.plain),
            rich=rich,
            undoable=undoable,
            undoing=undoing,
            summed=summed,
            involved=bool(rich or undoable or undoing or summed),
            points=self._sum_points(live),
            triggers=triggers,
            restarts=restarts,
            enters=enters,
        )

    def _looks(self, rules: Iterable[TouchpointRule], matched: frozenset[str]) -> tuple[Looks, ...]:
        looks: list[list[tuple[Holds, TouchpointRule]]] = [[] for _ in self.keys]
        for rule in rules:
            if rule.triggers.isdisjoint(matched):
                continue
            holds = compile_condition(rule.when, self.positions, matched)
            if holds is False:
                continue
            asked = _always if holds is True else holds
            for slot in rule.froms:
                looks[slot].append((asked, rule))
        return tuple(tuple(look) for look in looks)

    def _sum_points(self, live: tuple[int, ...]) -> tuple[tuple[int, float, Micros], ...]:
        sums = []
        for index, (half_life, points) in enumerate(self.points):
            total = sum(points[signal] for signal in live if signal in points)
            if total:
                sums.append((index, total, half_life))
        return tuple(sums)


def compile_model(model: StageModel) -> Program:
    """Compile *model*; worth keeping, since it learns the shapes of touchpoints as they come."""
    return Program(model)


def _always(situation: Situation, at: Instant) -> bool:
    del situation, at
    return True


def _positions(model: StageModel) -> Positions:
    return Positions(
        signals={signal.key: index for index, signal in enumerate(model.signals)},
        scores={
            score.key: (index, score.half_life.micros) for index, score in enumerate(model.scores)
        },
        raising={score.key: score.raising for score in model.scores},
        ranks={stage.key: stage.rank for stage in model.stages},
    )


def _undone_by(model: StageModel, positions: Positions) -> tuple[tuple[int, ...], ...]:
    """Return, for each signal, which signals' matches it undoes."""
    undone: list[list[int]] = [[] for _ in model.signals]
    for index, signal in enumerate(model.signals):
        if signal.undone_by is not None:
            undone[positions.signals[signal.undone_by.signal]].append(index)
    return tuple(map(tuple, undone))


def _points(
    model: StageModel, positions: Positions
) -> tuple[tuple[Micros, Mapping[int, float]], ...]:
    """Return the half-life of each score and its points by the signal's position."""
    return tuple(
        (
            score.half_life.micros,
            {positions.signals[signal]: points for signal, points in score.points.items()},
        )
        for score in model.scores
    )
