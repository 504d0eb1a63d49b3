"""Random stage models, as documents, that the loader accepts."""

from itertools import count
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

Document: TypeAlias = dict[str, Any]
Draw: TypeAlias = st.DrawFn

HALF_HOURS: Final = {2: "PT1H", 3: "PT90M", 4: "PT2H", 6: "PT10800S", 8: "PT4H", 12: "PT6H"}
"""The durations of drawn models by their length in half hours."""

_SIGNALS: Final = ("looked", "bought", "returned", "label")
_STAGES: Final = ("first", "second", "third", "fourth")
_ROLES: Final = ("aware", "consider", "decide", "use", "retain", "advocate", "lost")
_PATHS: Final = ("properties.v", "properties.k", "properties.p.q", "context.k", "traits.age")

_durations: Final = st.sampled_from(list(HALF_HOURS.values()))
_states: Final = st.lists(
    st.sampled_from(["active", "dormant", "churned"]), min_size=1, max_size=2, unique=True
)


def _tests() -> st.SearchStrategy[Document]:
    scalars = st.sampled_from([1, 1.0, 2, 0.1, "1", "x", "pro", True])
    comparable = st.sampled_from([1, 2, 0.1, "1", "x"])
    one_of = {
        "eq": scalars | st.sampled_from([[1], {"v": 1.0}]),
        "ne": scalars,
        "gt": comparable,
        "gte": comparable,
        "lt": comparable,
        "lte": comparable,
        "in": st.lists(scalars, min_size=1, max_size=2),
        "contains": scalars,
        "prefix": st.sampled_from(["", "x", "p"]),
        "exists": st.booleans(),
    }
    names = st.lists(st.sampled_from(sorted(one_of)), min_size=1, max_size=2, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({n: one_of[n] for n in chosen}))


def _matchers() -> st.SearchStrategy[Document]:
    types = st.sampled_from(["a", "b", "c", ["a", "b"], ["b", "c"], ["seen"]])
    where = st.dictionaries(st.sampled_from(_PATHS), _tests(), min_size=1, max_size=1)
    plain = st.one_of(
        st.fixed_dictionaries({"type": types}),
        st.fixed_dictionaries({"type": types}),
        st.fixed_dictionaries({"channel": st.sampled_from(["web", "in_store", ["web", "email"]])}),
        st.fixed_dictionaries({"source": st.sampled_from(["a", ["B", "é"]])}),
        st.fixed_dictionaries({"where": where}, optional={"type": types}),
    )
    some = st.lists(plain, min_size=1, max_size=2)
    nested = st.one_of(
        st.fixed_dictionaries({"any": some}),
        st.fixed_dictionaries({"all": some}, optional={"channel": st.just("web")}),
        st.fixed_dictionaries({"not": plain}),
    )
    return plain | plain | nested


@st.composite
def _signals(draw: Draw) -> Document:
    keys = _SIGNALS[: draw(st.sampled_from([3, 4, 2, 1]))]
    signals: Document = {key: {"match": draw(_matchers())} for key in keys}
    if len(keys) > 1 and draw(st.integers(0, 2)):
        *undone, undoing = draw(st.permutations(keys))
        for key in undone[: draw(st.integers(1, 2))]:
            undo = {"signal": undoing, "same": draw(st.sampled_from(_PATHS[:2]))}
            if draw(st.booleans()):
                undo["within"] = draw(_durations)
            signals[key]["undone_by"] = undo
    return signals


@st.composite
def _scores(draw: Draw, signals: Document) -> Document:
    def points(key: str, *, positive: bool) -> st.SearchStrategy[float]:
        some: st.SearchStrategy[float] = st.sampled_from([1, 2, 0.5, 3])
        allowed = not positive and "undone_by" not in signals[key]
        return some | st.sampled_from([-1, -2.5]) if allowed else some

    scores: Document = {}
    for key in ["intent", "trust"][: draw(st.sampled_from([1, 2, 0]))]:
        chosen = draw(st.permutations(list(signals)))[: draw(st.integers(1, 3))]
        worth = {one: draw(points(one, positive=not i)) for i, one in enumerate(chosen)}
        scores[key] = {"half_life": draw(_durations), "points": worth}
    return scores


class _Conditions:
    """Strategies for the conditions of one model."""

    def __init__(self, signals: Document, scores: Document, stages: list[str]) -> None:
        self.signals = st.sampled_from(list(signals))
        self.scores = list(scores)
        self.stages = st.sampled_from(stages)
        self.bare = st.fixed_dictionaries({"signal": self.signals})

    def bounds(self, bound: str) -> st.SearchStrategy[Document]:
        """Counts, sums and scores with the given *bound*."""
        window: dict[str, st.SearchStrategy[Any]] = {"within": _durations}
        path = st.sampled_from(_PATHS)
        number = st.integers(1, 3) if bound == "at_least" else st.integers(0, 2)
        amount = st.sampled_from([0, 0.3, 1, 2.5, -1, 1e16])
        count_of: dict[str, st.SearchStrategy[Any]] = {"signal": self.signals, bound: number}
        sum_of = {"signal": self.signals, "sum": path, bound: amount}
        kinds = [
            st.fixed_dictionaries(count_of, optional=window),
            st.fixed_dictionaries(count_of, optional={**window, "distinct": path}),
            st.fixed_dictionaries(sum_of, optional=window),
        ]
        if self.scores:
            score = st.sampled_from(self.scores)
            worth = st.sampled_from([0.5, 1, 2, 3, 0])
            kinds.append(st.fixed_dictionaries({"score": score, bound: worth}))
        return st.one_of(kinds)

    def triggers(self) -> st.SearchStrategy[Document]:
        """Conditions with a trigger signal in them."""
        one = self.bare | self.bounds("at_least")
        more = st.lists(self.any_but_bare() | self.bare, max_size=2)
        joined = st.builds(lambda first, rest: [first, *rest], one, more)
        return st.one_of(
            one,
            st.fixed_dictionaries({"all": joined}),
            st.fixed_dictionaries({"any": joined}),
        )

    def any_but_bare(self) -> st.SearchStrategy[Document]:
        """Conditions that may stand in a leave rule."""
        trait = st.builds(
            lambda path, tests: {"trait": path, **tests},
            st.sampled_from(["plan", "age", "p.q"]),
            _tests(),
        )
        single = st.one_of(
            self.bounds("at_least"),
            self.bounds("at_most"),
            trait,
            st.fixed_dictionaries({"in_stage_for": _durations}),
            st.fixed_dictionaries({"activity": _states}),
            st.fixed_dictionaries({"reached": self.stages}),
        )
        pair = st.lists(single, min_size=1, max_size=2)
        return st.one_of(
            single,
            single,
            st.fixed_dictionaries({"not": single}),
            st.fixed_dictionaries({"any": pair}),
            st.fixed_dictionaries({"all": pair}),
        )


@st.composite
def documents(draw: Draw) -> Document:
    """Models of at most four signals and four stages, with everything the format has."""
    signals = draw(_signals())
    scores = draw(_scores(signals))
    keys = list(_STAGES[: draw(st.sampled_from([3, 4, 2, 1]))])
    start = draw(st.sampled_from(keys))
    terminal = {key for key in keys if key != start and draw(st.integers(0, 5)) == 0}
    conditions = _Conditions(signals, scores, keys)
    names = (f"rule_{number}" for number in count())
    downhill = draw(st.permutations(keys))
    stages = []
    for key in keys:
        stage: Document = {"key": key, "role": draw(st.sampled_from(_ROLES))}
        enter = [
            _enter_rule(draw, next(names), conditions, keys)
            for _ in range(draw(st.sampled_from([1, 2, 0])))
        ]
        below = downhill[: downhill.index(key)]
        leave = [
            _leave_rule(draw, next(names), conditions, below)
            for _ in range(draw(st.sampled_from([1, 2, 0])) if below and key not in terminal else 0)
        ]
        stage |= {"enter": enter} if enter else {}
        stage |= {"leave": leave} if leave else {}
        stage |= {"terminal": True} if key in terminal else {}
        stages.append(stage)
    document: Document = {
        "format": 1,
        "key": "drawn",
        "signals": signals,
        "activity": draw(_activity()),
        "start": start,
        "stages": stages,
    }
    restarts = [
        _restart_rule(draw, next(names), conditions, keys)
        for _ in range(draw(st.sampled_from([1, 0, 2])))
    ]
    document |= {"scores": scores} if scores else {}
    document |= {"cycle": {"restart": restarts}} if restarts else {}
    return document


@st.composite
def _activity(draw: Draw) -> Document:
    lengths = sorted(draw(st.lists(st.sampled_from(list(HALF_HOURS)), min_size=2, unique=True)))
    activity = {"dormant_after": HALF_HOURS[lengths[0]], "churned_after": HALF_HOURS[lengths[-1]]}
    ignores = [{"type": ["seen"]}, {"type": ["seen"]}, None, draw(_matchers())]
    ignore = draw(st.sampled_from(ignores))
    return {"ignore": ignore, **activity} if ignore else activity


def _enter_rule(draw: Draw, name: str, conditions: _Conditions, keys: list[str]) -> Document:
    rule: Document = {"rule": name, "when": draw(conditions.triggers())}
    if draw(st.integers(0, 2)) == 0:
        sources = st.sampled_from(["none", *keys])
        rule["from"] = draw(st.lists(sources, min_size=1, max_size=3, unique=True))
    return rule


def _restart_rule(draw: Draw, name: str, conditions: _Conditions, keys: list[str]) -> Document:
    rule: Document = {
        "rule": name,
        "when": draw(conditions.triggers()),
        "to": draw(st.sampled_from(keys)),
    }
    if draw(st.booleans()):
        rule["from"] = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2, unique=True))
    return rule


def _leave_rule(draw: Draw, name: str, conditions: _Conditions, below: list[str]) -> Document:
    rule: Document = {
        "rule": name,
        "after": draw(_durations),
        "to": draw(st.sampled_from(below)),
    }
    base = draw(st.sampled_from(["without", "entered", "idle"]))
    if base == "without":
        rule["without"] = draw(st.lists(conditions.signals, min_size=1, max_size=2, unique=True))
    if base == "idle":
        rule["idle"] = True
    if draw(st.booleans()):
        rule["when"] = draw(conditions.any_but_bare())
    return rule
