"""Warnings about models that load but may not mean what their author thinks."""

import re
from collections.abc import Iterable, Iterator

from shared.instants import Instant
from shared.journey import lint_rules, lint_signals
from shared.journey.fold import in_order
from shared.journey.lint_warnings import ModelWarning
from shared.journey.model import StageModel
from shared.journey.observing import OTHERS, Observations, Observer
from shared.journey.program import Program
from shared.touchpoints import Touchpoint

__all__ = ["ModelWarning", "lint", "lint_on_data", "lint_on_observations"]

_CHECKS = (
    lint_rules.unreachable_stages,
    lint_rules.stages_without_exit,
    lint_rules.beaten_rules,
    lint_rules.late_leave_rules,
    lint_rules.spent_leave_rules,
    lint_rules.own_stage_in_from,
    lint_signals.unused_signals,
    lint_signals.unbounded_undo,
    lint_signals.unbounded_windows,
    lint_signals.undo_paths,
)


def lint(model: StageModel) -> tuple[ModelWarning, ...]:
    """Return the warnings about *model* alone, in the order of its document."""
    found = {warning for check in _CHECKS for warning in check(model)}
    return tuple(sorted(found, key=lambda warning: (_natural(warning.path), warning.message)))


def lint_on_data(
    program: Program, histories: Iterable[Iterable[Touchpoint]], as_of: Instant
) -> tuple[ModelWarning, ...]:
    """Return what given histories show: rules, signals and types that nothing came of.

    Args:
        program: The compiled model.
        histories: The touchpoints of each customer, in any order.
        as_of: Up to when touchpoints count, and time alone may still move customers.
    """
    observer = Observer(program, as_of)
    for history in histories:
        observer.take(in_order(history))
        observer.end_customer()
    return lint_on_observations(program.model, observer.end())


def lint_on_observations(model: StageModel, seen: Observations) -> tuple[ModelWarning, ...]:
    """Return what *seen* shows of *model*: rules, signals and types that nothing came of."""
    return tuple(_never(model, seen))


def _never(model: StageModel, seen: Observations) -> Iterator[ModelWarning]:
    for signal in model.signals:
        if not seen.signals[signal.key].times:
            path = f"signals.{signal.key}"
            yield ModelWarning(path, "never_matched", "no touchpoint matched this signal")
    for path, rule in model.rules():
        if not seen.rules[rule.name].times:
            yield ModelWarning(path, "never_fired", f"{rule.name!r} never moved a customer")
    ignored = model.activity.ignore.types if model.activity.ignore else frozenset()
    for name, type_ in sorted(seen.types.items()):
        if not type_.matched and name not in ignored and name != OTHERS:
            yield ModelWarning("signals", "unknown_type", f"no signal knows the type {name!r}")


def _natural(path: str) -> tuple[tuple[int, str], ...]:
    """Return a key that puts ``stages[2]`` before ``stages[10]``."""
    parts = re.split(r"(\d+)", path)
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)
