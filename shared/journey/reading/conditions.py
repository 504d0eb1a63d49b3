"""Reading the conditions of rules."""

from dataclasses import dataclass
from typing import Final

from shared.journey.conditions import (
    ActivityIs,
    ActivityState,
    AllOf,
    AnyOf,
    Bound,
    Condition,
    Count,
    InStageFor,
    Matches,
    Not,
    Reached,
    ScoreIs,
    Sum,
    TraitIs,
)
from shared.journey.matchers import OPERATORS
from shared.journey.reading.matchers import read_path, read_tests
from shared.journey.reading.shape import MemberNodes, Node

ACTIVITY_STATES: Final[tuple[ActivityState, ...]] = ("active", "dormant", "churned")

_FORMS: Final = {
    "signal": ("at_least", "at_most", "within", "distinct", "sum"),
    "score": ("at_least", "at_most"),
    "trait": OPERATORS,
    "in_stage_for": (),
    "activity": (),
    "reached": (),
    "all": (),
    "any": (),
    "not": (),
}
_NOTHING: Final = AllOf(())


@dataclass(frozen=True, slots=True)
class Known:
    """The keys that the document defines and its rules may name."""

    signals: tuple[str, ...]
    scores: tuple[str, ...]
    stages: tuple[str, ...]


def read_condition(node: Node, known: Known, *, bare: bool) -> Condition:
    """Read a condition.

    Args:
        node: Where it stands.
        known: What it may name.
        bare: Whether there is a touchpoint that a bare ``signal`` could ask about.
    """
    given = node.json()
    form = next((form for form in _FORMS if isinstance(given, dict) and form in given), None)
    if form is None:
        message = f"must be an object with one of {', '.join(_FORMS)}"
        node.refuse("empty" if given == {} else "wrong_type", message)
        return _NOTHING
    return _read_form(form, node.members((form,), _FORMS[form]), known, bare=bare)


def _read_form(form: str, members: MemberNodes, known: Known, *, bare: bool) -> Condition:
    node = members[form]
    if form in {"all", "any"}:
        parts = tuple(read_condition(part, known, bare=bare) for part in node.items())
        return AllOf(parts) if form == "all" else AnyOf(parts)
    if form == "not":
        return Not(read_condition(node, known, bare=bare))
    if form == "signal":
        return _read_signal(members, known, bare=bare)
    return _read_state(form, members, known)


def _read_state(form: str, members: MemberNodes, known: Known) -> Condition:
    node = members[form]
    match form:
        case "score":
            return ScoreIs(node.reference(known.scores, "score"), _read_bound(members, node))
        case "trait":
            return _read_trait(members)
        case "in_stage_for":
            return InStageFor(node.duration())
        case "activity":
            states = (state.one_of(ACTIVITY_STATES, "activity") for state in node.items())
            return ActivityIs(tuple(states))
        case _:
            return Reached(node.reference(known.stages, "stage"))


def _read_signal(members: MemberNodes, known: Known, *, bare: bool) -> Condition:
    node = members["signal"]
    signal = node.reference(known.signals, "signal")
    within = members["within"].duration() if "within" in members else None
    if "at_least" not in members and "at_most" not in members:
        for name in ("within", "distinct", "sum"):
            if name in members:
                members[name].refuse("no_bound", "needs at_least or at_most beside it")
        if not bare:
            node.refuse("bare_signal", "asks about a touchpoint; here it needs at_least or at_most")
        return Matches(signal)
    if "distinct" in members and "sum" in members:
        members["sum"].refuse("two_forms", "cannot stand beside distinct")
    if "sum" in members:
        return Sum(signal, read_path(members["sum"]), _read_bound(members, node), within)
    distinct = read_path(members["distinct"]) if "distinct" in members else None
    return Count(signal, _read_bound(members, node, whole=True), within, distinct)


def _read_bound(members: MemberNodes, node: Node, *, whole: bool = False) -> Bound:
    if ("at_least" in members) == ("at_most" in members):
        node.refuse("bad_bound", "needs exactly one of at_least and at_most")
        return Bound("at_least", 1)
    if "at_least" in members:
        number = members["at_least"]
        return Bound("at_least", number.integer(1) if whole else number.number())
    number = members["at_most"]
    return Bound("at_most", number.integer(0) if whole else number.number())


def _read_trait(members: MemberNodes) -> Condition:
    node = members["trait"]
    path = tuple(node.text().split("."))
    if "" in path:
        node.refuse("bad_path", "must be names of traits joined by '.', such as address.country")
    tests = read_tests(members)
    if not tests:
        node.refuse("no_test", f"needs a test beside it: {', '.join(OPERATORS)}")
    return TraitIs(path, tests)
