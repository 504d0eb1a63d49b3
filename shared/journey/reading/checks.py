"""Checks that weigh the parts of a model against each other."""

from shared.journey.conditions import trigger_signals
from shared.journey.model import LeaveRule, Signal, StageModel
from shared.journey.reading.shape import Faults


def check_model(model: StageModel) -> None:
    """Check what reading the parts one by one cannot see.

    Raises:
        ModelRefused: With every rule name that stands twice, rule without trigger, undo that
            cannot be, and circle of leave rules.
    """
    faults = Faults()
    _check_rule_names(model, faults)
    _check_triggers(model, faults)
    _check_undo(model, faults)
    _check_circles(model, faults)
    faults.refuse_if_any()


def _check_rule_names(model: StageModel, faults: Faults) -> None:
    first: dict[str, str] = {}
    for path, rule in model.rules():
        if rule.name in first:
            message = f"{rule.name!r} is the name of {first[rule.name]}; every rule needs its own"
            faults.note(f"{path}.rule", "duplicate_rule", message)
        first.setdefault(rule.name, path)


def _check_triggers(model: StageModel, faults: Faults) -> None:
    raising = {score.key: score.raising for score in model.scores}
    for path, rule in model.rules():
        if isinstance(rule, LeaveRule):
            continue
        if not trigger_signals(rule.when, raising.__getitem__):
            message = (
                "never triggers: needs a signal, or at_least of a signal or of a score with "
                "positive points, outside any not"
            )
            faults.note(f"{path}.when", "no_trigger", message)


def _check_undo(model: StageModel, faults: Faults) -> None:
    signals = {signal.key: signal for signal in model.signals}
    lowered = {
        signal: score.key
        for score in model.scores
        for signal, points in score.points.items()
        if points < 0
    }
    for signal in model.signals:
        if signal.undone_by is None:
            continue
        path = f"signals.{signal.key}.undone_by"
        _check_undoing(signals[signal.undone_by.signal], signal, f"{path}.signal", faults)
        if signal.key in lowered:
            message = (
                f"cannot stand on a signal with negative points in a score; it has them in "
                f"{lowered[signal.key]!r}"
            )
            faults.note(path, "negative_points", message)


def _check_undoing(undoing: Signal, undone: Signal, path: str, faults: Faults) -> None:
    if undoing.key == undone.key:
        faults.note(path, "bad_undo", "must be another signal than the one it undoes")
    elif undoing.undone_by is not None:
        message = f"{undoing.key!r} has an undone_by of its own; a signal that undoes has none"
        faults.note(path, "bad_undo", message)


def _check_circles(model: StageModel, faults: Faults) -> None:
    """Go down the leave rules from each stage; a way back to a stage on the way is a circle."""
    leads = {stage.key: [rule.to for rule in stage.leave] for stage in model.stages}
    rank = {stage.key: stage.rank for stage in model.stages}
    done: set[str] = set()

    def descend(way: list[str]) -> None:
        for index, to in enumerate(leads[way[-1]]):
            if to in way:
                circle = " -> ".join([*way[way.index(to) :], to])
                path = f"stages[{rank[way[-1]]}].leave[{index}].to"
                message = f"closes a circle of leave rules: {circle}"
                faults.note(path, "circle", message)
            elif to not in done:
                descend([*way, to])
        done.add(way[-1])

    for stage in model.stages:
        if stage.key not in done:
            descend([stage.key])
