"""The identity policy over HTTP: checked, put in force, applied to everybody there is."""

import msgspec

from services.classifier.policy_changes import PolicyChanges
from shared.identity.identifiers import identifier_id
from shared.identity.policy_documents import default_policy, document_of
from shared.instants import HOUR
from shared.keys import Scope
from shared.storage.verification import Difference
from shared.touchpoints import JsonObject
from tests.fixtures.classification import START, Sent
from tests.fixtures.classified_api import Classified
from tests.fixtures.histories import findings
from tests.fixtures.served_api import client_of
from tests.fixtures.told import identifier

PHONE = "phone:+4930123456"
KINDS = [{"kind": "user_id", "unique": True}, {"kind": "email", "max_per_customer": 5}]
NO_PHONES = {
    "format": 1,
    "kinds": [*KINDS, {"kind": "phone", "max_per_customer": 5}, {"kind": "anonymous_id"}],
    "blocked": [{"kind": "phone", "values": ["+4930123456"]}],
}
MAILS_FIRST = {"format": 1, "kinds": [KINDS[1], KINDS[0]]}


async def put(classified: Classified, document: object, status: int, **asked: str) -> JsonObject:
    content = msgspec.json.encode(document)
    answer = await classified.client.put("/v1/policy", content=content, params=asked)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def applied(classified: Classified, most: int = 2) -> int:
    changes = PolicyChanges(classified.classifier.engine, most=most)
    steps = 0
    while await changes.step():
        steps += 1
    return steps


async def no_differences(classified: Classified) -> bool:
    found = await findings(classified.classifier)
    return not [finding for finding in found if isinstance(finding, Difference)]


def id_of(name: str) -> str:
    return str(identifier_id(identifier(name)))


async def customer_of(classified: Classified, name: str) -> object:
    return (await classified.get(f"/v1/customers/{name}"))["customer_id"]


async def a_family(classified: Classified) -> None:
    """Two mail addresses that a phone joins, and another user of it who is refused."""
    await classified.feed(
        Sent("1", ("email:ana@x.org", PHONE), at=START, type="order_completed"),
        Sent("2", ("email:ben@x.org", PHONE), at=START + HOUR, type="order_completed"),
        Sent("3", ("user_id:cid", PHONE), at=START + 2 * HOUR),
        Sent("4", ("user_id:dan", PHONE), at=START + 3 * HOUR),
    )


async def test_the_policy_in_force_is_the_built_in_one_at_first(classified: Classified) -> None:
    answer = await classified.get("/v1/policy")
    assert answer["policy"] == document_of(default_policy())
    assert (answer["default"], answer["applying"]) == (True, None)


async def test_a_policy_is_applied_to_everybody_with_progress(classified: Classified) -> None:
    await a_family(classified)
    assert await customer_of(classified, "email:ben@x.org") == id_of("user_id:cid")
    answer = await put(classified, NO_PHONES, 202, reason="the office's number")
    assert answer["applying"] == {"identifiers": 0, "of": 5}
    assert await PolicyChanges(classified.classifier.engine, most=2).step()
    progress = (await classified.get("/v1/policy"))["applying"]
    assert progress == {"identifiers": 2, "of": 5}
    await applied(classified)
    in_force = await classified.get("/v1/policy")
    assert (in_force["applying"], in_force["actor"]) == (None, "key:test")
    for name in ("email:ana@x.org", "email:ben@x.org", "user_id:cid", "user_id:dan", PHONE):
        assert await customer_of(classified, name) == id_of(name)
        assert (await classified.get(f"/v1/customers/{name}"))["conflicts"] == []
    assert await no_differences(classified)
    [act] = await classified.classifier.rows("SELECT action, reason FROM audit")
    assert act == {"action": "policy.set", "reason": "the office's number"}


async def test_taking_a_policy_back_gives_the_journeys_from_before(
    classified: Classified,
) -> None:
    await a_family(classified)
    names = ("email:ana@x.org", "user_id:cid", "user_id:dan")
    before = [await classified.journey(name) for name in names]
    await put(classified, NO_PHONES, 202)
    await applied(classified)
    await put(classified, document_of(default_policy()), 202)
    await applied(classified, most=3)
    assert [await classified.journey(name) for name in names] == before
    assert await no_differences(classified)


async def test_other_trust_gives_customers_other_ids_and_nobody_is_lost(
    classified: Classified,
) -> None:
    await classified.feed(Sent("1", ("user_id:cid", "email:cid@x.org"), type="order_completed"))
    await put(classified, MAILS_FIRST, 202)
    await applied(classified, most=1)
    for name in ("user_id:cid", "email:cid@x.org", id_of("user_id:cid")):
        assert await customer_of(classified, name) == id_of("email:cid@x.org")
    assert await no_differences(classified)


async def test_touchpoints_that_come_meanwhile_follow_the_new_policy(
    classified: Classified,
) -> None:
    await a_family(classified)
    await put(classified, NO_PHONES, 202)
    await PolicyChanges(classified.classifier.engine, most=1).step()
    await classified.feed(
        Sent("5", ("user_id:eva", PHONE), at=START + 4 * HOUR),
        Sent("6", ("user_id:dan", "email:dan@x.org"), at=START + 5 * HOUR),
        Sent("7", ("user_id:cid", "email:ben@x.org"), at=START + 6 * HOUR),
    )
    assert await customer_of(classified, "user_id:eva") == id_of("user_id:eva")
    await applied(classified, most=1)
    assert await customer_of(classified, PHONE) == id_of(PHONE)
    assert await customer_of(classified, "email:ben@x.org") == id_of("user_id:cid")
    assert await no_differences(classified)


async def test_the_same_policy_again_changes_nothing(classified: Classified) -> None:
    answer = await put(classified, document_of(default_policy()), 200)
    assert (answer["changed"], answer["default"]) == (False, True)


async def test_a_policy_that_is_only_checked_changes_nothing(classified: Classified) -> None:
    answer = await put(classified, MAILS_FIRST, 200, dry_run="true")
    assert answer["changed"] is False
    assert (await classified.get("/v1/policy"))["default"] is True


async def test_a_wrong_policy_names_what_is_wrong_in_it(classified: Classified) -> None:
    refused = await put(classified, {"format": 1, "kinds": [{"kind": "User"}]}, 422)
    assert refused["code"] == "policy_refused"
    assert [fault["path"] for fault in as_list(refused["errors"])] == ["kinds[0].kind"]


async def test_what_is_odd_about_a_policy_is_said(classified: Classified) -> None:
    answer = await put(classified, {"format": 1, "kinds": [{"kind": "email"}]}, 200, dry_run="1")
    assert [warning["code"] for warning in as_list(answer["warnings"])] == ["no_unique_kind"]


async def test_a_policy_is_set_with_the_scope_admin_alone(classified: Classified) -> None:
    for key, status in ((f"sk_{Scope.CUSTOMERS_READ}", 403), (f"sk_{Scope.ADMIN}", 202)):
        async with client_of(classified.app, key) as client:
            answer = await client.put("/v1/policy", content=msgspec.json.encode(MAILS_FIRST))
            assert answer.status_code == status


def as_list(value: object) -> list[JsonObject]:
    assert isinstance(value, list)
    return value
