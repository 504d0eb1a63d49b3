"""Deadlines: what time alone changes, and what it will change next."""

from typing import Final, NamedTuple, TypeAlias

from shared.instants import LATEST, Instant
from shared.journey.conditions import ActivityState
from shared.journey.durations import Duration
from shared.journey.moves import Axis, DeadlineBase, DeadlineCause, Identity, Kind, Move
from shared.journey.needs import Seen
from shared.journey.program import Program
from shared.journey.rules import DeadlineRule
from shared.journey.situation import NO_STAGE, Situation

NEVER: Final[Instant] = LATEST + 1
"""Later than every time a journey can be asked for; what is due after the year 9999 is never."""


class NextMove(NamedTuple):
    """The move that comes if no touchpoint does."""

    at: Instant
    axis: Axis
    to: str
    rule: str


class _Base(NamedTuple):
    """Since when a deadline counts, what gave that time, and by which touchpoint."""

    at: Instant
    kind: DeadlineBase
    seen: Seen | None


class _ActivityDeadline(NamedTuple):
    at: Instant
    to: ActivityState
    rule: str
    after: Duration
    base: _Base


class _StageDeadline(NamedTuple):
    at: Instant
    rule: DeadlineRule
    base: _Base


_Deadline: TypeAlias = _ActivityDeadline | _StageDeadline


def run_deadlines(
    program: Program, situation: Situation, limit: Instant, moves: list[Move]
) -> Instant:
    """Apply every deadline up to *limit* in time order and append the moves they make.

    Returns:
        A time before which nothing is due; it stays one as touchpoints come, as long as stage and
        activity stay, since touchpoints only put deadlines off.
    """
    while True:
        pending = _pending(program, situation)
        if not pending or pending[0].at > limit:
            due = pending[0].at if pending else NEVER
            return min(due, _earliest_again(program, situation))
        deadline = pending[0]
        situation.settled_at = deadline.at
        if isinstance(deadline, _ActivityDeadline):
            moves.append(_move_activity(situation, deadline))
        else:
            moves.extend(_leave(program, situation, deadline))


def _earliest_again(program: Program, situation: Situation) -> Instant:
    """Return the earliest a spent rule can be due again: its base can only move to what comes."""
    if not situation.spent or situation.last is None:
        return NEVER
    latest = max(situation.last.at, situation.settled_at)
    rules = program.leaving[situation.slot]
    return latest + min(rule.after for rule in rules if rule.index in situation.spent)


def next_move(program: Program, situation: Situation) -> NextMove | None:
    """Return the earliest deadline that would move something; changes nothing."""
    for deadline in _pending(program, situation):
        if isinstance(deadline, _ActivityDeadline):
            return NextMove(deadline.at, "activity", deadline.to, deadline.rule)
        rule = deadline.rule
        if rule.holds is None or rule.holds(situation, deadline.at):
            return NextMove(deadline.at, "stage", program.keys[rule.slot], rule.name)
    return None


def _pending(program: Program, situation: Situation) -> list[_Deadline]:
    """Return what is due, the first one first; at one instant activity, then file order."""
    pending: list[_Deadline] = []
    activity = _activity_deadline(program, situation)
    if activity is not None:
        pending.append(activity)
    for rule in program.leaving[situation.slot]:
        base = _base_of(rule, situation)
        if situation.spent.get(rule.index) != base.at:
            pending.append(_StageDeadline(base.at + rule.after, rule, base))
    in_reach = [deadline for deadline in pending if deadline.at <= LATEST]
    in_reach.sort(key=lambda deadline: deadline.at)
    return in_reach


def _activity_deadline(program: Program, situation: Situation) -> _ActivityDeadline | None:
    seen = situation.last_active
    if seen is None or situation.activity == "churned":
        return None
    base = _Base(seen.at, "activity", seen)
    activity = program.model.activity
    if situation.activity == "active":
        after = activity.dormant_after
        return _ActivityDeadline(seen.at + after.micros, "dormant", "dormant_after", after, base)
    after = activity.churned_after
    return _ActivityDeadline(seen.at + after.micros, "churned", "churned_after", after, base)


def _base_of(rule: DeadlineRule, situation: Situation) -> _Base:
    latest: Seen | None = situation.last_active if rule.idle else None
    for signal in rule.without:
        history = situation.histories.get(signal)
        last = None if history is None else history.last
        if last is not None and (latest is None or _order(last) > _order(latest)):
            latest = last
    if latest is not None and latest.at > situation.entered_at:
        return _Base(latest.at, "activity" if rule.idle else "signal", latest)
    return _Base(situation.entered_at, "entered", situation.entered_by)


def _order(seen: Seen) -> tuple[Instant, str, str]:
    return (seen.at, seen.source, seen.event_id)


def _move_activity(situation: Situation, deadline: _ActivityDeadline) -> Move:
    before = situation.activity
    situation.activity = deadline.to
    situation.activity_since = deadline.at
    return Move(
        axis="activity",
        kind="activity",
        from_=before,
        to=deadline.to,
        at=deadline.at,
        cycle=situation.cycle,
        rule=deadline.rule,
        cause=_cause(deadline.base, deadline.after.text),
    )


def _leave(program: Program, situation: Situation, deadline: _StageDeadline) -> list[Move]:
    """Follow a leave rule that is due, or note it as spent until its base moves."""
    rule = deadline.rule
    if rule.holds is not None and not rule.holds(situation, deadline.at):
        situation.spent[rule.index] = deadline.base.at
        return []
    before = situation.slot
    situation.enter(rule.slot, deadline.at, rule.name, None)
    move = Move(
        axis="stage",
        kind=kind_of(before, rule.slot),
        from_=program.keys[before] or None,
        to=program.keys[rule.slot],
        at=deadline.at,
        cycle=situation.cycle,
        rule=rule.name,
        cause=_cause(deadline.base, rule.after_text),
    )
    return [move]


def kind_of(before: int, after: int) -> Kind:
    """Return the kind of a move from one slot to another by an enter or leave rule."""
    if before == NO_STAGE:
        return "start"
    return "advance" if after > before else "regress"


def _cause(base: _Base, after: str) -> DeadlineCause:
    seen = base.seen
    touchpoint = None if seen is None else Identity(seen.source, seen.event_id)
    return DeadlineCause(base.at, after, base.kind, touchpoint)
