"""Why a customer is in a stage, and why not in a later one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.instants import Instant, rfc3339
from shared.journey.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Not,
)
from shared.journey.deadlines import NextMove
from shared.journey.evaluation import compile_condition
from shared.journey.figures import figures
from shared.journey.fold import Fold
from shared.journey.model import NONE, EnterRule
from shared.journey.moves import Move, TouchpointCause, cause_document
from shared.journey.program import Program
from shared.journey.render import next_document
from shared.journey.situation import Situation
from shared.journey.wording import condition_document, phrase
from shared.touchpoints import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class ConditionReport:
    """One condition of a rule: what it needs, what there is, and whether it holds.

    ``until`` is when the oldest counted match stops counting; ``parts`` are those of a group.
    """

    condition: JsonObject
    needed: JsonValue
    have: JsonValue
    holds: bool
    until: Instant | None
    says: str
    parts: tuple["ConditionReport", ...] = ()


@dataclass(frozen=True, slots=True)
class RuleReport:
    """An enter rule of a stage of higher rank, condition by condition."""

    stage: str
    rule: str
    conditions: tuple[ConditionReport, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """``why`` is the move that led to the present stage, None without one."""

    why: Move | None
    why_not: tuple[RuleReport, ...]
    next: NextMove | None
    text: tuple[str, ...]


def explain(folding: Fold, as_of: Instant, before: Sequence[Move] = ()) -> Explanation:
    """Explain the journey at *as_of*, to which *folding* has been advanced.

    Args:
        folding: The fold of the customer.
        as_of: When is asked about.
        before: The moves made before *folding* went on from a snapshot.
    """
    journey = folding.journey(as_of, before)
    moves = [move for move in journey.transitions if move.axis == "stage"]
    why = moves[-1] if moves else None
    why_not = tuple(_why_not(folding.program, folding.situation, as_of))
    text = (*_say_why(folding.program, why), *map(_say_why_not, why_not), *_say_next(journey.next))
    return Explanation(why, why_not, journey.next, text)


def explanation_document(explanation: Explanation) -> JsonObject:
    """Write an explanation as JSON; evidence is by identity, for the reader to look up."""
    why = explanation.why
    return {
        "why": None if why is None else {"rule": why.rule, "cause": cause_document(why.cause)},
        "why_not": [
            {
                "stage": report.stage,
                "rule": report.rule,
                "conditions": [_report_document(part) for part in report.conditions],
            }
            for report in explanation.why_not
        ],
        "next": next_document(explanation.next),
        "text": list(explanation.text),
    }


def _report_document(report: ConditionReport) -> JsonObject:
    document: JsonObject = {
        "condition": report.condition,
        "needed": report.needed,
        "have": report.have,
        "holds": report.holds,
        "until": None if report.until is None else rfc3339(report.until),
    }
    if report.parts:
        document["conditions"] = [_report_document(part) for part in report.parts]
    return document


def _why_not(program: Program, situation: Situation, as_of: Instant) -> Iterator[RuleReport]:
    for stage in program.model.stages[situation.slot :]:
        for rule in stage.enter:
            yield RuleReport(stage.key, rule.name, _rule_reports(program, situation, rule, as_of))


def _rule_reports(
    program: Program, situation: Situation, rule: EnterRule, as_of: Instant
) -> tuple[ConditionReport, ...]:
    parts = rule.when.parts if isinstance(rule.when, AllOf) else (rule.when,)
    reports = tuple(_report(program, situation, part, as_of) for part in parts)
    stage = program.keys[situation.slot] or NONE
    if stage in rule.from_:
        return reports
    order = [NONE, *program.keys[1:]]
    froms = [key for key in order if key in rule.from_]
    says = f"to come from {' or '.join(froms)}"
    report = ConditionReport({"from": froms}, froms, stage, holds=False, until=None, says=says)
    return (report, *reports)


def _report(
    program: Program, situation: Situation, condition: Condition, as_of: Instant
) -> ConditionReport:
    compiled = compile_condition(condition, program.positions)
    holds = compiled if isinstance(compiled, bool) else compiled(situation, as_of)
    document, says = condition_document(condition), phrase(condition)
    if isinstance(condition, AllOf | AnyOf | Not):
        inner = (condition.part,) if isinstance(condition, Not) else condition.parts
        parts = tuple(_report(program, situation, part, as_of) for part in inner)
        wanted = len(parts) if isinstance(condition, AllOf) else int(isinstance(condition, AnyOf))
        holding = sum(part.holds for part in parts)
        return ConditionReport(document, wanted, holding, holds, None, says, parts)
    needed, have, until = figures(program, situation, condition, as_of)
    return ConditionReport(document, needed, have, holds, until, says)


def _say_why(program: Program, why: Move | None) -> Iterator[str]:
    if why is None:
        yield "The customer has given no sign of life yet and is in no stage."
        return
    label = program.model.stage(why.to).label
    since = f"In {label} since {rfc3339(why.at)} by rule {why.rule}"
    if isinstance(why.cause, TouchpointCause):
        count = len(why.cause.evidence)
        counted_too = f", which counted {count} touchpoint{'s' * (count > 1)}" if count else ""
        yield f"{since}{counted_too}; decided by {why.cause.source}/{why.cause.event_id}."
    else:
        yield f"{since}: {why.cause.after} passed since {rfc3339(why.cause.base_at)}."


def _say_why_not(report: RuleReport) -> str:
    missing = [_say_missing(part) for part in report.conditions if not part.holds]
    if not missing:
        return f"{report.stage} ({report.rule}): holds, but only a touchpoint can decide it."
    return f"{report.stage} ({report.rule}) needs {'; '.join(missing)}."


def _say_missing(report: ConditionReport) -> str:
    counts = "at_least" in report.condition or "at_most" in report.condition
    return f"{report.says} (has {report.have})" if counts else report.says


def _say_next(coming: NextMove | None) -> Iterator[str]:
    if coming is not None:
        yield f"Without a touchpoint, {coming.to} at {rfc3339(coming.at)} by {coming.rule}."
