from shared.journey.tracing import TracedCustomer, latest_touchpoint, trace
from shared.touchpoints import Identifier, JsonObject
from tests.fixtures.small_models import compiled, day, touch, two_stages

GIVEN: JsonObject = two_stages({"signal": "a"})
ANA = TracedCustomer(
    "b-ana",
    (Identifier("user_id", "u1"), Identifier("email", "ana@example.com")),
    (touch("a", 2), touch("x", 1)),
)
BEN = TracedCustomer("a-ben", (Identifier("user_id", "u2"),), (touch("x", 9),))


def test_customers_are_written_by_id_with_their_identifiers_and_journeys() -> None:
    ben, ana = trace(compiled(GIVEN), [ANA, BEN], day(3))
    assert (ben["customer_id"], ana["customer_id"]) == ("a-ben", "b-ana")
    assert ana["identifiers"] == [
        {"kind": "email", "value": "ana@example.com"},
        {"kind": "user_id", "value": "u1"},
    ]
    assert isinstance(ana["stage"], dict)
    assert ana["stage"]["key"] == "second"
    assert ben["stage"] is None
    assert ben["as_of"] == "2026-01-04T00:00:00Z"


def test_the_latest_touchpoint_of_all_says_when() -> None:
    assert latest_touchpoint([ANA, BEN]) == day(9)
    assert latest_touchpoint([]) is None
