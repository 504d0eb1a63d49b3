"""Warnings about signals, and about what rules count of them."""

from collections.abc import Iterator

from shared.journey.conditions import Count, Leaf, Matches, ScoreIs, Sum, leaves
from shared.journey.lint_warnings import ModelWarning
from shared.journey.matchers import Comparison, Matcher
from shared.journey.model import StageModel
from shared.journey.values import Path


def unused_signals(model: StageModel) -> Iterator[ModelWarning]:
    """Find signals that no rule asks about, be it through a score or an undo."""
    asked = [leaf for _, rule in model.rules() if rule.when for leaf in leaves(rule.when)]
    used = {signal for leaf in asked for signal in _signals_of(leaf, model)}
    used |= {key for stage in model.stages for rule in stage.leave for key in rule.without}
    used |= {
        signal.undone_by.signal
        for signal in model.signals
        if signal.undone_by is not None and signal.key in used
    }
    for signal in model.signals:
        if signal.key not in used:
            path, message = f"signals.{signal.key}", "no rule uses this signal"
            yield ModelWarning(path, "unused_signal", message)


def _signals_of(leaf: Leaf, model: StageModel) -> Iterator[str]:
    match leaf:
        case Matches(signal):
            yield signal
        case Count() | Sum():
            yield leaf.signal
        case ScoreIs(key):
            for score in model.scores:
                if score.key == key:
                    yield from score.points
        case _:
            pass


def unbounded_undo(model: StageModel) -> Iterator[ModelWarning]:
    """Find undos without ``within``: every match ever must be remembered for them."""
    for signal in model.signals:
        if signal.undone_by is not None and signal.undone_by.within is None:
            path = f"signals.{signal.key}.undone_by"
            message = "has no within: what must be remembered grows with the history"
            yield ModelWarning(path, "unbounded", message)


def unbounded_windows(model: StageModel) -> Iterator[ModelWarning]:
    """Find ``distinct`` and ``sum`` without ``within``."""
    for path, rule in model.rules():
        for leaf in leaves(rule.when) if rule.when else ():
            form = _form(leaf)
            if form and isinstance(leaf, Sum | Count) and leaf.within is None:
                message = (
                    f"has {form} over {leaf.signal!r} without within: what must be remembered "
                    "grows with the history"
                )
                yield ModelWarning(f"{path}.when", "unbounded", message)


def _form(leaf: Leaf) -> str | None:
    if isinstance(leaf, Sum):
        return "sum"
    return "distinct" if isinstance(leaf, Count) and leaf.distinct else None


def undo_paths(model: StageModel) -> Iterator[ModelWarning]:
    """Find undos by a value that touchpoints may lack, as far as the matcher says."""
    for signal in model.signals:
        if signal.undone_by is not None and not _requires(signal.match, signal.undone_by.same):
            same = ".".join(signal.undone_by.same)
            path = f"signals.{signal.key}.undone_by.same"
            message = f"the matcher never requires {same}; a match without it is never undone"
            yield ModelWarning(path, "undo_path_not_required", message)


def _requires(matcher: Matcher, path: Path) -> bool:
    """Tell whether some part of *matcher*, outside any ``not``, wants a value at *path*."""
    here = (tests.path == path and any(map(_wants, tests.tests)) for tests in matcher.where)
    return any(here) or any(_requires(part, path) for part in (*matcher.all, *matcher.any))


def _wants(test: Comparison) -> bool:
    if test.operator == "exists":
        return test.operand is True
    return test.operator != "ne"
