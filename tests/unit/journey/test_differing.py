"""What two stage models make of the same customers, and how many go from where to where."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from shared.instants import Instant
from shared.journey.differing import Compared, Comparison, Parting, Standing
from shared.journey.flows import Flow, Flows, in_order
from shared.journey.fold import fold
from shared.journey.fold import in_order as canonical
from shared.journey.journeys import Journey
from shared.journey.moves import Move
from shared.journey.program import Program
from shared.touchpoints import Touchpoint
from tests.fixtures.small_models import compiled, day, document, loaded, stage, touch, two_stages
from tests.reference.engine import program_of
from tests.strategies.journeys import Case, cases, histories
from tests.strategies.stage_models import documents

TWICE = two_stages({"signal": "a", "at_least": 2})
ONCE = two_stages({"signal": "a"})


def compared(
    before: Program, after: Program, history: Sequence[Touchpoint], as_of: Instant
) -> Compared:
    comparison = Comparison(before, after, as_of)
    comparison.take(canonical(history))
    return comparison.end()


def moves_on(journey: Journey, axis: str) -> list[Move]:
    return [move for move in journey.transitions if move.axis == axis]


def naive(before: Journey, after: Journey) -> Parting | None:
    """Find where two whole journeys part, without lineage."""
    partings = []
    for axis in ("stage", "activity"):
        one, other = moves_on(before, axis), moves_on(after, axis)
        longest = max(len(one), len(other))
        for left, right in zip(
            [*one, *[None] * (longest - len(one))],
            [*other, *[None] * (longest - len(other))],
            strict=True,
        ):
            if left is None or right is None or told(left) != told(right):
                partings.append(Parting(left, right))
                break
    return min(partings, key=lambda parting: parting.first.at, default=None)


def told(move: Move) -> tuple[object, ...]:
    return (move.at, move.to, move.cycle)


def test_a_customer_goes_from_one_stage_to_another_at_the_touchpoint_that_decides() -> None:
    history = [touch("a", 1), touch("b", 2), touch("a", 3)]
    found = compared(compiled(ONCE), compiled(TWICE), history, day(2))
    assert found.before == Standing("second", "active", 1)
    assert found.after == Standing("first", "active", 1)
    assert found.parting is not None
    assert found.parting.before is not None
    assert found.parting.after is not None
    assert (found.parting.before.to, found.parting.before.at) == ("second", day(1))
    assert (found.parting.after.to, found.parting.after.rule) == ("first", "start")
    later = compared(compiled(ONCE), compiled(TWICE), history, day(3))
    assert (later.before, later.after) == (found.before, found.before)
    assert later.parting == found.parting


def test_a_side_that_makes_no_further_move_has_none() -> None:
    never = two_stages({"signal": "c"})
    found = compared(compiled(never), compiled(TWICE), [touch("a", 1), touch("a", 3)], day(9))
    assert found.parting is not None
    assert found.parting.before is None
    assert found.parting.first == found.parting.after
    assert found.parting.first.at == day(3)


def test_the_earlier_of_both_axes_is_told() -> None:
    quick = {**ONCE, "activity": {"dormant_after": "P1D", "churned_after": "P2000D"}}
    found = compared(compiled(TWICE), compiled(quick), [touch("b", 0), touch("a", 5)], day(9))
    assert found.parting is not None
    assert (found.parting.first.axis, found.parting.first.at) == ("activity", day(1))


def test_another_name_of_a_rule_is_no_difference() -> None:
    renamed = document(
        [stage("first"), stage("second", enter=[{"rule": "other", "when": {"signal": "a"}}])]
    )
    found = compared(compiled(ONCE), compiled(renamed), [touch("a", 1)], day(9))
    assert found.parting is None


def test_a_stage_that_was_renamed_or_split_is_the_same_by_its_lineage() -> None:
    split = document(
        [
            stage("first"),
            stage("won", enter=[{"rule": "enter_won", "when": {"signal": "a"}}]),
            stage("kept", enter=[{"rule": "enter_kept", "when": {"signal": "b"}}]),
        ],
        lineage={"second": ["won", "kept"]},
    )
    old, new = compiled(ONCE), compiled(split)
    history = [touch("a", 1)]
    for before, after in ((old, new), (new, old)):
        assert compared(before, after, history, day(9)).parting is None
    stranger = compiled({**split, "lineage": {"first": ["won"]}})
    assert compared(old, stranger, history, day(9)).parting is not None


def test_flows_go_on_from_what_was_counted_and_stand_in_the_order_of_stages() -> None:
    one = compared(compiled(ONCE), compiled(TWICE), [touch("a", 1)], day(9))
    nobody = compared(compiled(ONCE), compiled(TWICE), [], day(9))
    flows = Flows([Flow("second", "second", 7, 2), Flow("second", "first", 3, 3)])
    flows.add(one)
    flows.add(nobody)
    assert in_order(flows, loaded(ONCE), loaded(TWICE)) == [
        Flow(None, None, 1, 0),
        Flow("second", "first", 4, 4),
        Flow("second", "second", 7, 2),
    ]
    assert (flows.customers, flows.differ) == (12, 6)


@given(cases())
def test_a_model_does_not_differ_from_itself(case: Case) -> None:
    program = program_of(case.document)
    found = compared(program, program, case.touchpoints, case.as_of)
    assert found.parting is None
    assert found.before == found.after


@given(cases(), documents(), st.integers(1, 5))
def test_what_is_found_is_what_two_whole_journeys_show(
    case: Case, other: dict[str, object], size: int
) -> None:
    before, after = program_of(case.document), program_of(other)
    comparison = Comparison(before, after, case.as_of)
    ordered = canonical(case.touchpoints)
    for start in range(0, len(ordered), size):
        comparison.take(ordered[start : start + size])
    found = comparison.end()
    journeys = [fold(program, case.touchpoints, case.as_of) for program in (before, after)]
    for journey, standing in zip(journeys, (found.before, found.after), strict=True):
        assert standing.stage == (journey.stage.key if journey.stage else None)
        assert standing.activity == (journey.activity.state if journey.activity else None)
        assert standing.cycle == journey.cycle
    assert found.parting == naive(*journeys)


@given(cases(), documents())
def test_seen_from_the_other_side_it_is_the_same(case: Case, other: dict[str, object]) -> None:
    before, after = program_of(case.document), program_of(other)
    found = compared(before, after, case.touchpoints, case.as_of)
    back = compared(after, before, case.touchpoints, case.as_of)
    assert (found.before, found.after) == (back.after, back.before)
    assert (found.parting is None) == (back.parting is None)
    if found.parting is not None and back.parting is not None:
        assert (found.parting.before, found.parting.after) == (
            back.parting.after,
            back.parting.before,
        )


@given(cases(), documents(), st.lists(histories(), max_size=6))
def test_rows_and_columns_sum_up_to_the_populations(
    case: Case, other: dict[str, object], crowd: list[list[Touchpoint]]
) -> None:
    before, after = program_of(case.document), program_of(other)
    people = [compared(before, after, history, case.as_of) for history in crowd]
    flows = Flows()
    for one in people:
        flows.add(one)
    rows: Counter[str | None] = Counter()
    columns: Counter[str | None] = Counter()
    for flow in flows:
        rows[flow.before] += flow.customers
        columns[flow.after] += flow.customers
        drilled = [
            one
            for one in people
            if (one.before.stage, one.after.stage) == (flow.before, flow.after)
        ]
        assert flow.differ == sum(one.parting is not None for one in drilled)
        assert flow.before == flow.after or flow.differ == flow.customers
    assert rows == Counter(one.before.stage for one in people)
    assert columns == Counter(one.after.stage for one in people)
    assert flows.customers == len(people)
