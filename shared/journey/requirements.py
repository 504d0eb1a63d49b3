"""What has to be remembered of each signal, worked out from the rules of a model."""

from shared.instants import Micros
from shared.journey.conditions import Count, Leaf, ScoreIs, Sum, leaves
from shared.journey.matchers import reader_of
from shared.journey.model import Signal, StageModel
from shared.journey.needs import SHOWN, DistinctNeed, Needs, SumNeed, UndoNeed
from shared.journey.values import Path


def needs_of(model: StageModel) -> tuple[Needs, ...]:
    """Return the needs of each signal of *model*, in its order."""
    asked = [leaf for _, rule in model.rules() if rule.when for leaf in leaves(rule.when)]
    bases = {signal for stage in model.stages for rule in stage.leave for signal in rule.without}
    shown = {
        signal
        for leaf in asked
        if isinstance(leaf, ScoreIs) and leaf.bound.kind == "at_least"
        for score in model.scores
        if score.key == leaf.score
        for signal in score.raising
    }
    return tuple(
        _needs(signal, asked, SHOWN if signal.key in shown else int(signal.key in bases))
        for signal in model.signals
    )


def _needs(signal: Signal, asked: list[Leaf], least: int) -> Needs:
    counts = [leaf for leaf in asked if isinstance(leaf, Count) and leaf.signal == signal.key]
    sums = [leaf for leaf in asked if isinstance(leaf, Sum) and leaf.signal == signal.key]
    plain = [count.newest for count in counts if count.distinct is None and _looks_at_newest(count)]
    return Needs(
        newest=max([least, *plain]),
        distinct=_distinct(counts),
        sums=_sums(sums),
        undo=_undo(signal, counts),
    )


def _looks_at_newest(count: Count) -> bool:
    """All time's ``at_most`` needs a number only; ``at_least`` shows the matches it counted."""
    return count.within is not None or count.bound.kind == "at_least"


def _distinct(counts: list[Count]) -> tuple[DistinctNeed, ...]:
    newest: dict[Path, int] = {}
    for count in counts:
        if count.distinct is not None:
            newest[count.distinct] = max(count.newest, newest.get(count.distinct, 0))
    return tuple(DistinctNeed(path, reader_of(path), number) for path, number in newest.items())


def _sums(sums: list[Sum]) -> tuple[SumNeed, ...]:
    windows = {(leaf.path, _micros(leaf)) for leaf in sums}
    ordered = sorted(windows, key=lambda window: (window[0], window[1] or 0))
    return tuple(SumNeed(path, reader_of(path), within) for path, within in ordered)


def _micros(leaf: Sum | Count) -> Micros | None:
    return None if leaf.within is None else leaf.within.micros


def _undo(signal: Signal, counts: list[Count]) -> UndoNeed | None:
    undo = signal.undone_by
    if undo is None:
        return None
    within = None if undo.within is None else undo.within.micros
    windows = [within, *(_micros(count) for count in counts if count.distinct is not None)]
    known = [window for window in windows if window is not None]
    keep_for = max(known) if len(known) == len(windows) else None
    return UndoNeed(reader_of(undo.same), within, keep_for)
