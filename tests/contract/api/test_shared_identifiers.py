"""Alarms: identifiers with so many refused links that somebody should block them."""

from prometheus_client import REGISTRY

from services.api.readers.links import MOST
from services.classifier.alarms import Alarms
from shared.identity.customers import SHARED_ABOVE
from shared.identity.identifiers import identifier_id
from shared.instants import MINUTE
from tests.fixtures.classification import START, Sent
from tests.fixtures.classified_api import Classified
from tests.fixtures.told import identifier

KIOSK = "anonymous_id:kiosk"


def logins(count: int) -> list[Sent]:
    return [Sent(f"l{n}", (f"user_id:u{n:03}", KIOSK), at=START + n * MINUTE) for n in range(count)]


async def test_a_kiosk_is_listed_with_its_count_once_it_is_over_fifty(
    classified: Classified,
) -> None:
    await classified.feed(*logins(SHARED_ABOVE + 1))
    assert await classified.get("/v1/identifiers/shared") == {"items": [], "above": 50}
    await classified.feed(*logins(SHARED_ABOVE + 10)[SHARED_ABOVE + 1 :])
    first = str(identifier_id(identifier("user_id:u000")))
    assert (await classified.get("/v1/identifiers/shared"))["items"] == [
        {"identifier": KIOSK, "customer_id": first, "refused": 59}
    ]
    assert (await classified.get("/v1/identifiers/shared", above="59"))["items"] == []


async def test_the_metric_and_the_log_tell_of_them(classified: Classified) -> None:
    alarms = Alarms(classified.classifier.engine)
    assert await alarms.look() == 0
    await classified.feed(*logins(SHARED_ABOVE + 2))
    assert await alarms.look() == 1
    assert REGISTRY.get_sample_value("identity_shared_identifiers") == 1


async def test_of_a_kiosks_conflicts_the_first_are_shown_and_all_are_counted(
    classified: Classified,
) -> None:
    await classified.feed(*logins(MOST + 12))
    first = await classified.get("/v1/customers/user_id:u000")
    conflicts = first["conflicts"]
    assert isinstance(conflicts, list)
    assert (len(conflicts), first["conflicts_total"]) == (MOST, MOST + 11)
    assert conflicts[0]["event_id"] == "l1"
    assert first["links_total"] == 1
