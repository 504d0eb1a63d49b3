"""Rules compiled for folding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from shared.instants import Micros
from shared.journey.conditions import AllOf, Condition, trigger_signals
from shared.journey.evaluation import Collect, Holds, Positions, compile_condition, compile_evidence
from shared.journey.model import NONE, StageModel
from shared.journey.situation import NO_STAGE

Slots: TypeAlias = Mapping[str, int]
"""The slot of each stage key, and of ``none``."""


@dataclass(frozen=True, slots=True, eq=False)
class TouchpointRule:
    """An enter or restart rule.

    ``slot`` is where it leads, ``froms`` are the slots in which it is looked at, ``triggers`` the
    signals one of which a touchpoint must match.
    """

    name: str
    slot: int
    froms: frozenset[int]
    triggers: frozenset[str]
    when: Condition
    evidence: tuple[Collect, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DeadlineRule:
    """A leave rule; ``index`` is its position among all leave rules of the model.

    ``without`` are the positions of the signals whose last match may be the base.
    """

    index: int
    name: str
    slot: int
    after: Micros
    after_text: str
    without: tuple[int, ...]
    idle: bool
    holds: Holds | None


def slots_of(model: StageModel) -> dict[str, int]:
    """Return the slot of each stage key, and of ``none``."""
    return {NONE: NO_STAGE} | {stage.key: stage.rank + 1 for stage in model.stages}


def start_rule(slot: int) -> TouchpointRule:
    """Return what gives the stage of *slot* to a customer whom no rule gave one."""
    everything = AllOf(())
    return TouchpointRule("start", slot, frozenset({NO_STAGE}), frozenset(), everything, ())


def compile_enter_rules(model: StageModel, positions: Positions) -> tuple[TouchpointRule, ...]:
    """Return all enter rules, those that win first: by rank from the highest, then file order."""
    slots = slots_of(model)
    return tuple(
        TouchpointRule(
            name=rule.name,
            slot=slots[stage.key],
            froms=frozenset(slots[key] for key in rule.from_ if key != stage.key),
            triggers=trigger_signals(rule.when, positions.raising.__getitem__),
            when=rule.when,
            evidence=compile_evidence(rule.when, positions),
        )
        for stage in reversed(model.stages)
        for rule in stage.enter
    )


def compile_restart_rules(model: StageModel, positions: Positions) -> tuple[TouchpointRule, ...]:
    """Return the rules that begin a new cycle, in file order."""
    slots = slots_of(model)
    return tuple(
        TouchpointRule(
            name=rule.name,
            slot=slots[rule.to],
            froms=frozenset(slots[key] for key in rule.from_),
            triggers=trigger_signals(rule.when, positions.raising.__getitem__),
            when=rule.when,
            evidence=compile_evidence(rule.when, positions),
        )
        for rule in model.restarts
    )


def compile_leave_rules(
    model: StageModel, positions: Positions
) -> tuple[tuple[DeadlineRule, ...], ...]:
    """Return the leave rules of each slot, in file order."""
    slots = slots_of(model)
    compiled: list[tuple[DeadlineRule, ...]] = [()]
    index = 0
    for stage in model.stages:
        rules = []
        for rule in stage.leave:
            rules.append(
                DeadlineRule(
                    index=index,
                    name=rule.name,
                    slot=slots[rule.to],
                    after=rule.after.micros,
                    after_text=rule.after.text,
                    without=tuple(positions.signals[key] for key in rule.without),
                    idle=rule.idle,
                    holds=_held(rule.when, positions),
                )
            )
            index += 1
        compiled.append(tuple(rules))
    return tuple(compiled)


def _held(when: Condition | None, positions: Positions) -> Holds | None:
    """Return what a leave rule asks when due; None: nothing."""
    if when is None:
        return None
    compiled = compile_condition(when, positions)
    return (lambda _, __: compiled) if isinstance(compiled, bool) else compiled
