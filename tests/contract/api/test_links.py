"""Links by hand: who is one customer by the word of a person, and what becomes of it."""

from urllib.parse import quote
from uuid import UUID

import pytest

from shared.identity.identifiers import identifier_id
from shared.instants import DAY, HOUR
from shared.keys import Scope
from shared.storage.audit import broken_links
from shared.storage.verification import Difference
from shared.touchpoints import JsonObject
from shared.upkeep.transactions import transaction
from tests.fixtures.classification import START, Sent
from tests.fixtures.classified_api import Classified
from tests.fixtures.histories import findings
from tests.fixtures.served_api import client_of
from tests.fixtures.told import identifier

ANA, BEN = "user_id:ana", "email:ben@example.com"
WHY = "they said so on the phone"


async def two_people(classified: Classified) -> None:
    await classified.feed(
        Sent("a1", (ANA,), at=START, type="order_completed"),
        Sent("b1", (BEN, "anonymous_id:b-1"), at=START + DAY, type="page_viewed"),
        Sent("b2", (BEN,), at=START + 2 * DAY, type="order_completed"),
    )


async def linked(classified: Classified, status: int = 201) -> JsonObject:
    body = {"a": ANA, "b": BEN, "reason": WHY}
    return await classified.post("/v1/links", body, status=status)


async def told(classified: Classified) -> list[tuple[str, str, object]]:
    rows = await classified.classifier.rows(
        "SELECT type, customer_id, data::json ->> 'id' AS id FROM outbox"
        " WHERE type LIKE 'customer.%' ORDER BY outbox.id"
    )
    return [(str(row["type"]), str(row["customer_id"]), row["id"]) for row in rows]


async def acts(classified: Classified) -> list[JsonObject]:
    return await classified.classifier.rows(
        "SELECT actor, action, subject, reason FROM audit ORDER BY id"
    )


async def no_differences(classified: Classified) -> bool:
    found = await findings(classified.classifier)
    return not [finding for finding in found if isinstance(finding, Difference)]


def id_of(name: str) -> str:
    return str(identifier_id(identifier(name)))


async def test_two_that_a_person_links_are_one_customer_at_once(classified: Classified) -> None:
    await two_people(classified)
    link = await linked(classified)
    assert (link["a"], link["b"], link["reason"]) == (BEN, ANA, WHY)
    assert (link["actor"], link["source"], link["event_id"]) == ("key:test", None, None)
    assert (link["refused"], link["barred"], link["changed"]) == (False, False, True)
    assert link["customers"] == {ANA: id_of(ANA), BEN: id_of(ANA)}
    ana = await classified.get(f"/v1/customers/{ANA}")
    assert ana["touchpoints"] == {"total": 3, "by_channel": {"web": 3}}
    assert ana == await classified.get(f"/v1/customers/{quote('anonymous_id:b-1')}")
    journey = await classified.get(f"/v1/customers/{ANA}/journey")
    assert [each["to"] for each in as_list(journey["transitions"]) if each["axis"] == "stage"] == [
        "onboarding",
        "retention",
    ]
    assert await no_differences(classified)


async def test_a_merge_is_told_under_both_keys_as_one_message(classified: Classified) -> None:
    await two_people(classified)
    await linked(classified)
    [(one, ben, id_), (other, ana, same)] = await told(classified)
    assert (one, other, ben, ana) == ("customer.merged", "customer.merged", id_of(BEN), id_of(ANA))
    assert id_ == same
    [row, _] = await classified.classifier.outbox_of("customer.merged")
    assert (row["into"], row["from"]) == (id_of(ANA), [id_of(BEN)])
    cause = row["cause"]
    assert isinstance(cause, dict)
    assert {**cause["act"], "link": None} == {
        "action": "identity.link",
        "actor": "key:test",
        "reason": WHY,
        "link": None,
    }


async def test_unlinking_gives_each_the_journey_they_would_have_had(
    classified: Classified,
) -> None:
    await two_people(classified)
    before = [await classified.journey(name) for name in (ANA, BEN)]
    link = await linked(classified)
    assert [await classified.journey(name) for name in (ANA, BEN)] != before
    undone = await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "a mistake"})
    assert (undone["barred"], undone["changed"]) == (True, True)
    assert undone["customers"] == {ANA: id_of(ANA), BEN: id_of(BEN)}
    assert [await classified.journey(name) for name in (ANA, BEN)] == before
    assert [kind for kind, _, _ in await told(classified)][2:] == ["customer.split"] * 2
    assert await no_differences(classified)


async def test_relinking_is_as_if_the_bar_had_never_been_set(classified: Classified) -> None:
    await two_people(classified)
    link = await linked(classified)
    together = await classified.journey(ANA)
    await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "a mistake"})
    restored = await classified.post(f"/v1/links/{link['id']}/relink", {"reason": "it was not"})
    assert (restored["barred"], restored["changed"]) == (False, True)
    assert await classified.journey(BEN) == await classified.journey(ANA) == together
    assert await no_differences(classified)


async def test_linking_a_barred_pair_lifts_its_bar(classified: Classified) -> None:
    await two_people(classified)
    link = await linked(classified)
    await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "a mistake"})
    again = await linked(classified)
    assert (again["id"], again["barred"]) == (link["id"], False)
    assert again["customers"] == {ANA: id_of(ANA), BEN: id_of(ANA)}


async def test_twice_is_once_and_leaves_no_second_trace(classified: Classified) -> None:
    await two_people(classified)
    link = await linked(classified)
    assert (await linked(classified, status=200))["changed"] is False
    for act in ("unlink", "relink"):
        first = await classified.post(f"/v1/links/{link['id']}/{act}")
        second = await classified.post(f"/v1/links/{link['id']}/{act}")
        assert (first["changed"], second["changed"]) == (True, False)
    assert [act["action"] for act in await acts(classified)] == [
        "identity.link",
        "identity.unlink",
        "identity.relink",
    ]


async def test_a_bar_also_voids_what_is_said_later(classified: Classified) -> None:
    await two_people(classified)
    link = await linked(classified)
    await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "a mistake"})
    await classified.feed(Sent("later", (ANA, BEN), at=START + 9 * DAY))
    ben = await classified.get(f"/v1/customers/{BEN}")
    assert ben["customer_id"] == id_of(BEN)
    assert [bar["reason"] for bar in as_list(ben["bars"])] == ["a mistake"]


async def test_a_link_that_a_guard_refuses_is_kept_as_a_conflict(classified: Classified) -> None:
    await classified.feed(Sent("1", (ANA,)), Sent("2", ("user_id:ben",)))
    body = {"a": ANA, "b": "user_id:ben", "reason": WHY}
    link = await classified.post("/v1/links", body, status=201)
    assert link["refused"] is True
    for name in (ANA, "user_id:ben"):
        customer = await classified.get(f"/v1/customers/{name}")
        assert [each["id"] for each in as_list(customer["conflicts"])] == [link["id"]]


async def test_a_conflict_resolves_when_the_link_in_its_way_is_barred(
    classified: Classified,
) -> None:
    phone = "phone:+4930123456"
    await classified.feed(
        Sent("1", (ANA, phone), at=START), Sent("2", ("user_id:ben", phone), at=START + HOUR)
    )
    ben = await classified.get("/v1/customers/user_id:ben")
    [conflict] = as_list(ben["conflicts"])
    ana = await classified.get(f"/v1/customers/{ANA}")
    [link] = as_list(ana["links"])
    await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "it is ben's phone"})
    ben = await classified.get("/v1/customers/user_id:ben")
    assert ben["conflicts"] == []
    live = [each["id"] for each in as_list(ben["links"]) if not each["barred"]]
    assert live == [conflict["id"]]
    assert (await classified.get(f"/v1/customers/{phone}"))["customer_id"] == id_of("user_id:ben")
    assert await no_differences(classified)


async def test_an_identifier_is_taken_out_whatever_it_was_linked_to(
    classified: Classified,
) -> None:
    await classified.feed(
        Sent("1", (ANA, "anonymous_id:x"), at=START),
        Sent("2", (ANA, "email:a@x.org", "anonymous_id:x"), at=START + HOUR),
        Sent("3", ("email:a@x.org", "anonymous_id:x"), at=START + DAY),
    )
    body = {"identifier": "anonymous_id:x", "reason": "the library's computer"}
    taken = await classified.post(f"/v1/customers/{ANA}/unlink", body)
    assert taken["identifier"] == "anonymous_id:x"
    assert [(bar["a"], bar["b"]) for bar in as_list(taken["bars"])] == [
        ("anonymous_id:x", "email:a@x.org"),
        ("anonymous_id:x", ANA),
    ]
    assert taken["customers"] == {
        "anonymous_id:x": id_of("anonymous_id:x"),
        "email:a@x.org": id_of(ANA),
        ANA: id_of(ANA),
    }
    assert (await classified.post(f"/v1/customers/{ANA}/unlink", body, status=422))["code"] == (
        "not_a_member"
    )
    assert await no_differences(classified)


async def test_the_only_identifier_of_a_customer_cannot_be_taken_out(
    classified: Classified,
) -> None:
    await classified.feed(Sent("1", (ANA,)))
    body = {"identifier": ANA, "reason": WHY}
    refused = await classified.post(f"/v1/customers/{ANA}/unlink", body, status=422)
    assert refused["code"] == "only_one"


async def test_identifiers_that_were_never_seen_wait_linked(classified: Classified) -> None:
    body = {"a": "crm_id:7", "b": "email:New@Example.com ", "reason": WHY}
    link = await classified.post("/v1/links", body, status=201)
    assert link["customers"] == dict.fromkeys(
        ("crm_id:7", "email:new@example.com"), id_of("crm_id:7")
    )
    await classified.feed(Sent("1", ("email:new@example.com",), type="order_completed"))
    customer = await classified.get("/v1/customers/crm_id:7")
    assert customer["touchpoints"] == {"total": 1, "by_channel": {"web": 1}}
    assert await no_differences(classified)


async def test_the_timeline_tells_what_a_person_did_and_what_a_touchpoint(
    classified: Classified,
) -> None:
    await classified.feed(Sent("1", (ANA, "anonymous_id:x", "email:a@x.org"), at=START))
    body = {"identifier": "email:a@x.org", "reason": "not hers"}
    await classified.post(f"/v1/customers/{ANA}/unlink", body)
    [bar] = as_list((await classified.get(f"/v1/customers/{ANA}"))["bars"])[1:]
    timeline = await classified.get(f"/v1/customers/{ANA}/timeline", kinds="identity", order="asc")
    found = [
        (item["action"], item["a"], item["b"], item["event_id"], item["actor"], item["reason"])
        for item in as_list(timeline["items"])
    ]
    assert sorted(found) == sorted(
        [
            ("linked", "anonymous_id:x", ANA, "1", None, None),
            ("linked", "email:a@x.org", ANA, "1", None, None),
            ("barred", "anonymous_id:x", "email:a@x.org", None, "key:test", "not hers"),
            ("unlinked", "email:a@x.org", ANA, None, "key:test", "not hers"),
        ]
    )
    assert (bar["a"], bar["b"]) == ("email:a@x.org", ANA)
    await classified.post(
        "/v1/links", {"a": ANA, "b": "email:a@x.org", "reason": "it was hers"}, status=201
    )
    timeline = await classified.get(f"/v1/customers/{ANA}/timeline", kinds="identity")
    newest = as_list(timeline["items"])[0]
    assert (newest["action"], newest["reason"]) == ("linked", "it was hers")


async def test_what_was_refused_then_is_refused_in_what_was_known_then(
    classified: Classified,
) -> None:
    phone = "phone:+4930123456"
    await classified.feed(
        Sent("1", (ANA, phone), at=START), Sent("2", ("user_id:ben", phone), at=START + HOUR)
    )
    [now] = await classified.classifier.rows("SELECT clock_timestamp()::text AS now")
    known_at = str(now["now"]).replace(" ", "T").replace("+00", "Z")
    ana = await classified.get(f"/v1/customers/{ANA}")
    await classified.post(f"/v1/links/{as_list(ana['links'])[0]['id']}/unlink")
    path = "/v1/customers/user_id:ben/timeline"
    for asked, action in (({}, "linked"), ({"known_at": known_at}, "refused")):
        found = as_list((await classified.get(path, kinds="identity", **asked))["items"])
        assert {item["event_id"]: item["action"] for item in found}["2"] == action


async def test_every_act_is_in_the_audit_and_the_audit_shows_tampering(
    classified: Classified,
) -> None:
    await two_people(classified)
    link = await linked(classified)
    await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "a mistake"})
    assert await acts(classified) == [
        {
            "actor": "key:test",
            "action": "identity.link",
            "subject": f"link:{link['id']}",
            "reason": WHY,
        },
        {
            "actor": "key:test",
            "action": "identity.unlink",
            "subject": f"link:{link['id']}",
            "reason": "a mistake",
        },
    ]
    assert await broken(classified) == []
    for statement in ("UPDATE audit SET reason = 'another'", "DELETE FROM audit"):
        with pytest.raises(Exception, match="only ever added"):
            await classified.classifier.execute(statement)
    await classified.classifier.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    await classified.classifier.execute("UPDATE audit SET reason = 'x' WHERE action LIKE '%.link'")
    assert await broken(classified) == [1]
    await classified.classifier.execute("DELETE FROM audit WHERE action LIKE '%.link'")
    assert await broken(classified) == [2]


async def broken(classified: Classified) -> list[int]:
    async with transaction(classified.classifier.engine) as connection:
        return [id_ async for id_ in broken_links(connection)]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"a": ANA, "b": BEN}, "reason"),
        ({"a": ANA, "b": BEN, "reason": "  "}, "reason"),
        ({"a": ANA, "b": BEN, "reason": "nul\0"}, "reason"),
        ({"a": "ana", "b": BEN, "reason": WHY}, "a"),
        ({"a": ANA, "b": str(UUID(int=7)), "reason": WHY}, "b"),
        ({"a": ANA, "b": " user_id: ana", "reason": WHY}, "b"),
        ({"a": BEN, "b": "email:BEN@example.com", "reason": WHY}, "b"),
        ({"a": ANA, "b": BEN, "reason": WHY, "at": "now"}, "at"),
    ],
)
async def test_a_wrong_link_names_the_field(
    classified: Classified, body: object, path: str
) -> None:
    refused = await classified.post("/v1/links", body, status=422)
    assert [fault["path"] for fault in as_list(refused["errors"])] == [path]


async def test_what_is_blocked_never_links_by_hand_either(classified: Classified) -> None:
    body = {"a": ANA, "b": "email:test@test.com", "reason": WHY}
    refused = await classified.post("/v1/links", body, status=422)
    assert refused["code"] == "blocked_identifier"


@pytest.mark.parametrize("act", ["unlink", "relink"])
@pytest.mark.parametrize("link_id", [str(UUID(int=7)), "7", "%00"])
async def test_a_link_that_is_not_there_is_not_found(
    classified: Classified, act: str, link_id: str
) -> None:
    await classified.post(f"/v1/links/{link_id}/{act}", status=404)


async def test_links_are_made_with_the_scope_admin_alone(classified: Classified) -> None:
    body = {"a": ANA, "b": BEN, "reason": WHY}
    for key in (f"sk_{Scope.CUSTOMERS_READ}", f"sk_{Scope.MODELS_WRITE}", "wk_web"):
        async with client_of(classified.app, key) as client:
            assert (await client.post("/v1/links", json=body)).status_code == 403
    async with client_of(classified.app, f"sk_{Scope.ADMIN}") as client:
        assert (await client.post("/v1/links", json=body)).status_code == 201


def as_list(value: object) -> list[JsonObject]:
    assert isinstance(value, list)
    return value
