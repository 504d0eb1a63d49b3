"""Strategies for matchers and for the conditions of rules, as parts of model documents.

They are made once and kept: building strategies costs more than drawing from them.
"""

from functools import cache
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

Document: TypeAlias = dict[str, Any]
Documents: TypeAlias = st.SearchStrategy[Document]

HALF_HOURS: Final = {2: "PT1H", 3: "PT90M", 4: "PT2H", 6: "PT10800S", 8: "PT4H", 12: "PT6H"}
"""The durations of drawn models by their length in half hours."""

PATHS: Final = ("properties.v", "properties.k", "properties.p.q", "context.k", "traits.age")

# Short ones more often: the shorter a window, the more touchpoints stand at its edge.
durations: Final = st.sampled_from([*HALF_HOURS.values(), "PT1H", "PT90M", "PT1H"])

_states: Final = st.lists(
    st.sampled_from(["active", "dormant", "churned"]), min_size=1, max_size=2, unique=True
)
_within: Final[dict[str, st.SearchStrategy[Any]]] = {"within": durations}


@cache
def value_tests() -> Documents:
    """One test of a value, or two in one object."""
    scalars = st.sampled_from([1, 1.0, 2, 0.1, "1", "x", "pro", True])
    comparable = st.sampled_from([1, 2, 0.1, "1", "x"])
    one_of: dict[str, st.SearchStrategy[Any]] = {
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
    single = [st.fixed_dictionaries({name: operand}) for name, operand in one_of.items()]
    return st.one_of(
        *single,
        st.fixed_dictionaries({"gt": comparable, "lte": comparable}),
        st.fixed_dictionaries({"exists": st.booleans(), "ne": scalars}),
    )


@cache
def matchers() -> Documents:
    """Matchers on all that a matcher can see, mostly on types."""
    types = st.sampled_from(["a", "b", "c", ["a", "b"], ["b", "c"], ["seen"]])
    where = st.dictionaries(st.sampled_from(PATHS), value_tests(), min_size=1, max_size=1)
    plain = st.one_of(
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
    return plain | nested


@cache
def bounds(bound: str, signals: tuple[str, ...], scores: tuple[str, ...]) -> Documents:
    """Counts, sums and scores that are to be ``at_least`` or ``at_most`` something."""
    path = st.sampled_from(PATHS)
    number = st.integers(1, 3) if bound == "at_least" else st.integers(0, 2)
    amount = st.sampled_from([0, 0.3, 1, 2.5, -1, 1e16])
    count_of = {"signal": st.sampled_from(signals), bound: number}
    sum_of = {"signal": st.sampled_from(signals), "sum": path, bound: amount}
    kinds = [
        st.fixed_dictionaries(count_of, optional=_within),
        st.fixed_dictionaries(count_of, optional={**_within, "distinct": path}),
        st.fixed_dictionaries(sum_of, optional=_within),
    ]
    if scores:
        worth = st.sampled_from([0.5, 1, 2, 3, 0])
        kinds.append(st.fixed_dictionaries({"score": st.sampled_from(scores), bound: worth}))
    return st.one_of(kinds)


@cache
def standing(
    signals: tuple[str, ...], scores: tuple[str, ...], stages: tuple[str, ...]
) -> Documents:
    """Conditions without a bare signal, which may stand in a leave rule."""
    trait = st.builds(
        lambda path, tests: {"trait": path, **tests},
        st.sampled_from(["plan", "age", "p.q"]),
        value_tests(),
    )
    single = st.one_of(
        bounds("at_least", signals, scores),
        bounds("at_most", signals, scores),
        trait,
        st.fixed_dictionaries({"in_stage_for": durations}),
        st.fixed_dictionaries({"activity": _states}),
        st.fixed_dictionaries({"reached": st.sampled_from(stages)}),
    )
    pair = st.lists(single, min_size=1, max_size=2)
    return st.one_of(
        single,
        single,
        st.fixed_dictionaries({"not": single}),
        st.fixed_dictionaries({"any": pair}),
        st.fixed_dictionaries({"all": pair}),
    )


@cache
def triggering(
    signals: tuple[str, ...], scores: tuple[str, ...], stages: tuple[str, ...]
) -> Documents:
    """Conditions with a trigger signal in them, for enter and restart rules."""
    bare = st.fixed_dictionaries({"signal": st.sampled_from(signals)})
    one = bare | bounds("at_least", signals, scores)
    more = st.lists(standing(signals, scores, stages) | bare, max_size=2)
    joined = st.builds(lambda first, rest: [first, *rest], one, more)
    return st.one_of(
        one, st.fixed_dictionaries({"all": joined}), st.fixed_dictionaries({"any": joined})
    )
