"""Warnings about models that load but may not mean what their author thinks."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from shared.instants import Instant
from shared.journey import lint_rules, lint_signals
from shared.journey.fold import Fold, in_order
from shared.journey.lint_warnings import ModelWarning
from shared.journey.model import StageModel
from shared.journey.program import Program
from shared.touchpoints import Touchpoint

__all__ = ["ModelWarning", "lint", "lint_on_data"]

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
        as_of: Up to when time alone may still move customers.
    """
    seen = _Seen(program, as_of)
    for history in histories:
        seen.watch(history)
    return tuple(seen.warnings())


class _Seen:
    """What happened in the histories watched so far."""

    def __init__(self, program: Program, as_of: Instant) -> None:
        self._program = program
        self._as_of = as_of
        self._fired: Counter[str] = Counter()
        self._matched: Counter[int] = Counter()
        self._known: set[str] = set()
        self._types: set[str] = set()

    def watch(self, history: Iterable[Touchpoint]) -> None:
        """Fold one customer's touchpoints."""
        folding = Fold(self._program)
        for touchpoint in in_order(history):
            folding.apply(touchpoint)
            plan, _ = self._program.meaning(touchpoint, folding.situation.traits)
            self._matched.update(plan.live)
            self._types.add(touchpoint.type)
            if plan.live:
                self._known.add(touchpoint.type)
        folding.advance(self._as_of)
        self._fired.update(move.rule for move in folding.moves if move.axis == "stage")

    def warnings(self) -> Iterator[ModelWarning]:
        """Say what never happened."""
        model = self._program.model
        for index, signal in enumerate(model.signals):
            if not self._matched[index]:
                path = f"signals.{signal.key}"
                yield ModelWarning(path, "never_matched", "no touchpoint matched this signal")
        for path, rule in model.rules():
            if not self._fired[rule.name]:
                yield ModelWarning(path, "never_fired", f"{rule.name!r} never moved a customer")
        ignored = model.activity.ignore.types if model.activity.ignore else frozenset()
        for type_ in sorted(self._types - self._known - ignored):
            yield ModelWarning("signals", "unknown_type", f"no signal knows the type {type_!r}")


def _natural(path: str) -> tuple[tuple[int, str], ...]:
    """Return a key that puts ``stages[2]`` before ``stages[10]``."""
    parts = re.split(r"(\d+)", path)
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)
