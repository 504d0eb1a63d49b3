"""The journeys worked out by hand, told by the engine and by the reference interpreter."""

import pytest

from tests.golden.journeys_format import GoldenJourney, golden_journeys, normal, seen
from tests.reference.engine import engine_journey
from tests.reference.interpreter import interpret

JOURNEYS = list(golden_journeys())


@pytest.mark.parametrize("golden", JOURNEYS, ids=lambda golden: golden.name)
def test_the_engine_tells_a_journey_as_it_was_worked_out_by_hand(golden: GoldenJourney) -> None:
    journey = engine_journey(golden.document, golden.touchpoints, golden.as_of, "ana")
    assert seen(golden.expect, journey) == normal(golden.expect), golden.cites


@pytest.mark.parametrize("golden", JOURNEYS, ids=lambda golden: golden.name)
def test_the_reference_tells_a_journey_as_it_was_worked_out_by_hand(golden: GoldenJourney) -> None:
    journey = interpret(golden.document, golden.touchpoints, golden.as_of, "ana")
    assert seen(golden.expect, journey) == normal(golden.expect), golden.cites


@pytest.mark.parametrize("golden", JOURNEYS, ids=lambda golden: golden.name)
def test_the_engine_and_the_reference_agree_on_all_of_a_golden_journey(
    golden: GoldenJourney,
) -> None:
    told = engine_journey(golden.document, golden.touchpoints, golden.as_of, "ana")
    assert told == interpret(golden.document, golden.touchpoints, golden.as_of, "ana")


def test_no_two_golden_journeys_have_one_name() -> None:
    names = [golden.name for golden in JOURNEYS]
    assert len(names) == len(set(names)) >= 60
