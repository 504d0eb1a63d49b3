"""Warnings about stages and rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

from shared.journey.conditions import Condition, trigger_signals
from shared.journey.implication import always_first, implies, surely_matched
from shared.journey.lint_warnings import ModelWarning
from shared.journey.model import Stage, StageModel


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule that a touchpoint decides, where it stands, and where it applies."""

    path: str
    name: str
    when: Condition
    froms: frozenset[str]


def unreachable_stages(model: StageModel) -> Iterator[ModelWarning]:
    """Find stages that nothing enters."""
    led_to = {rule.to for stage in model.stages for rule in stage.leave}
    led_to |= {rule.to for rule in model.restarts} | {model.start}
    for stage in model.stages:
        if not stage.enter and stage.key not in led_to:
            message = f"nothing enters {stage.key!r}: no enter rule, and no rule leads to it"
            yield ModelWarning(f"stages[{stage.rank}]", "unreachable_stage", message)


def stages_without_exit(model: StageModel) -> Iterator[ModelWarning]:
    """Find stages that nothing can leave and that are not terminal."""
    for stage in model.stages:
        if not (stage.terminal or stage.leave or _is_left(model, stage)):
            message = f"nothing leaves {stage.key!r}; mark it terminal if that is meant"
            yield ModelWarning(f"stages[{stage.rank}]", "no_exit", message)


def _is_left(model: StageModel, left: Stage) -> bool:
    others = [stage for stage in model.stages if stage is not left]
    entered = any(left.key in rule.from_ for stage in others for rule in stage.enter)
    leads_away = (rule for rule in model.restarts if rule.to != left.key)
    return entered or any(left.key in rule.from_ for rule in leads_away)


def beaten_rules(model: StageModel) -> Iterator[ModelWarning]:
    """Find rules that never decide, because one that is looked at before them always holds."""
    raising = {score.key: score.raising for score in model.scores}
    for rules in (_enter_rules(model), _restart_rules(model)):
        for first, later in combinations(rules, 2):
            triggers = trigger_signals(first.when, raising.__getitem__)
            looked_at = trigger_signals(later.when, raising.__getitem__) <= triggers
            looked_at = looked_at or not triggers.isdisjoint(surely_matched(later.when))
            if looked_at and later.froms <= first.froms and implies(later.when, first.when):
                message = f"{first.name!r} is looked at first and holds whenever this rule does"
                yield ModelWarning(later.path, "always_beaten", message)


def _enter_rules(model: StageModel) -> list[_Placed]:
    """Return the enter rules in the order in which they win."""
    return [
        _Placed(
            f"stages[{stage.rank}].enter[{index}]",
            rule.name,
            rule.when,
            rule.from_ - {stage.key},
        )
        for stage in reversed(model.stages)
        for index, rule in enumerate(stage.enter)
    ]


def _restart_rules(model: StageModel) -> list[_Placed]:
    return [
        _Placed(f"cycle.restart[{index}]", rule.name, rule.when, rule.from_)
        for index, rule in enumerate(model.restarts)
    ]


def late_leave_rules(model: StageModel) -> Iterator[ModelWarning]:
    """Find leave rules that another one of their stage always forestalls."""
    for stage in model.stages:
        for (one, first), (other, later) in permutations(enumerate(stage.leave), 2):
            if always_first(first, later, in_file_order=one < other):
                path = f"stages[{stage.rank}].leave[{other}]"
                message = f"{first.name!r} always comes first and leaves the stage"
                yield ModelWarning(path, "never_due", message)


def spent_leave_rules(model: StageModel) -> Iterator[ModelWarning]:
    """Find leave rules with ``when`` that leave customers behind if it is false when due."""
    for stage in model.stages:
        if any(rule.when is None for rule in stage.leave):
            continue
        for index, rule in enumerate(stage.leave):
            path = f"stages[{stage.rank}].leave[{index}].when"
            message = (
                f"is asked once; where it is false, {rule.name!r} is spent and no rule without a "
                "when stands beside it"
            )
            yield ModelWarning(path, "may_be_spent", message)


def own_stage_in_from(model: StageModel) -> Iterator[ModelWarning]:
    """Find enter rules that name their own stage, whose rules are never looked at in it."""
    for stage in model.stages:
        for index, rule in enumerate(stage.enter):
            if stage.key in rule.from_:
                path = f"stages[{stage.rank}].enter[{index}].from"
                message = f"names its own stage {stage.key!r}, in which it is never looked at"
                yield ModelWarning(path, "own_stage_in_from", message)
