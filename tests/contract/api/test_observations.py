"""What all stored histories show of a version of a stage model."""

import msgspec

from shared.instants import DAY
from tests.fixtures.classification import MODEL, START, Sent
from tests.fixtures.classified_api import Classified


async def observed(classified: Classified, version: str) -> list[dict[str, object]]:
    answer = await classified.client.get(f"/v1/models/{version}/observations")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [msgspec.json.decode(line, type=dict[str, object]) for line in answer.text.splitlines()]


async def test_all_customers_are_watched_and_the_result_comes_last(classified: Classified) -> None:
    await classified.feed(
        Sent("o-1", ("user_id:ana",), type="order_completed"),
        Sent("o-2", ("user_id:ana",), type="order_completed", at=START + 3 * DAY),
        Sent("x-1", ("user_id:bob",), type="recipe_read"),
    )
    progress, result = await observed(classified, MODEL.version)
    assert progress == {"kind": "progress", "customers": 2, "of": 2}
    assert result["kind"] == "result"
    seen = msgspec.convert(result["seen"], dict[str, object])
    assert (seen["customers"], seen["touchpoints"]) == (2, 3)
    assert seen["pauses"] == {"3": 1}
    types = msgspec.convert(seen["types"], dict[str, dict[str, object]])
    assert types["recipe_read"]["matched"] == 0
    rules = msgspec.convert(seen["rules"], dict[str, dict[str, int]])
    assert rules["second_purchase"] == {"times": 1, "customers": 1}


async def test_a_system_without_customers_has_shown_nothing(classified: Classified) -> None:
    [result] = await observed(classified, MODEL.version)
    seen = msgspec.convert(result["seen"], dict[str, object])
    assert (seen["customers"], seen["first_at"]) == (0, None)


async def test_only_what_is_stored_can_be_watched(classified: Classified) -> None:
    for missing in ("abc", "%00"):
        answer = await classified.client.get(f"/v1/models/{missing}/observations")
        assert answer.status_code == 404
