"""What came from each source is counted by the hour, with what was not as it should be."""

from uuid import uuid4

from shared.instants import HOUR
from tests.fixtures.classification import START, Classifier, Refused, Sent


async def hours(classifier: Classifier) -> dict[str, dict[str, object]]:
    rows = await classifier.rows("SELECT * FROM source_hours ORDER BY source, hour")
    return {str(row["source"]): row for row in rows}


async def test_records_are_counted_by_source(classifier: Classifier) -> None:
    await classifier.feed(
        Sent("a", ("user_id:u1",)),
        Sent("b", ("anonymous_id:x",)),
        Sent("c", ("user_id:u1", "anonymous_id:x")),
        Sent("d", ("user_id:u1",), source="shop"),
        Refused(uuid4()),
    )
    await classifier.feed(Sent("a", ("user_id:u1",)), Sent("c", ("user_id:other",)))
    counted = await hours(classifier)
    web = {name: counted["web"][name] for name in ("received", "rejected", "duplicate")}
    assert web == {"received": 6, "rejected": 1, "duplicate": 2}
    assert counted["web"]["conflicting"] == 1
    assert counted["web"]["unidentified"] == 1
    assert counted["shop"]["received"] == 1


async def test_what_came_in_different_hours_is_counted_apart(classifier: Classifier) -> None:
    await classifier.feed(Sent("a", ("user_id:u1",)), Sent("b", ("user_id:u1",), at=START + HOUR))
    rows = await classifier.rows("SELECT received FROM source_hours")
    assert [row["received"] for row in rows] == [1, 1]
