"""Erasure over what a real classifier stored: gone, kept out, lifted; others stay as they were."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec
import pytest

from services.api.certificates import is_genuine
from shared.identity.identifiers import identifier_id
from shared.instants import DAY, SECOND, datetime_of
from shared.keys import Scope
from shared.storage.audit import broken_links
from shared.storage.verification import Difference
from shared.touchpoints import JsonObject
from shared.upkeep.transactions import transaction
from tests.fixtures.classification import PEPPER, START, Refused, Sent
from tests.fixtures.classified_api import NOW, Classified
from tests.fixtures.histories import findings
from tests.fixtures.served_api import client_of
from tests.fixtures.told import identifier

ANA, HER_MAIL, BEN = "user_id:ana", "email:ana@example.com", "user_id:ben"
KIOSK: Final = "anonymous_id:kiosk"
PATH: Final = f"/v1/customers/{HER_MAIL}"
HISTORY: Final = (
    Sent("a1", (ANA, HER_MAIL), at=START, type="order_completed"),
    Sent("a2", (HER_MAIL, KIOSK), at=START + DAY),
    Sent("a1", (ANA, HER_MAIL), at=START, type="order_completed", traits={"plan": "canary"}),
    Sent("b1", (BEN,), at=START + 2 * DAY, type="order_completed"),
    Sent("b2", (BEN, KIOSK), at=START + 3 * DAY),
    Sent("b3", (BEN,), at=START + 4 * DAY, properties={"referred_by": ANA}),
)


async def erase(classified: Classified, path: str = PATH, **body: object) -> JsonObject:
    """Erase a customer and return the certificate."""
    answer = await classified.client.request("DELETE", path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["certificate"])


async def listed(classified: Classified, path: str, name: str) -> list[JsonObject]:
    """Return a list that an answer holds."""
    return msgspec.convert((await classified.get(path))[name], list[JsonObject])


async def status_of(classified: Classified, name: str) -> int:
    return (await classified.client.get(f"/v1/customers/{name}")).status_code


async def receipt(classified: Classified, event_id: str) -> object:
    return (await classified.get(f"/v1/receipts/web/{event_id}"))["status"]


async def no_differences(classified: Classified) -> bool:
    found = await findings(classified.classifier)
    return not [finding for finding in found if isinstance(finding, Difference)]


async def everything(classified: Classified) -> str:
    """Return the text of every row of every table."""
    tables = await classified.classifier.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    rows = [
        await classified.classifier.rows(f"SELECT t::text FROM {table['tablename']} t")  # noqa: S608
        for table in tables
    ]
    return str(rows)


async def test_a_dry_run_lists_the_identifiers_and_erases_nothing(classified: Classified) -> None:
    await classified.feed(*HISTORY)
    for params, body in (({"dry_run": "true"}, None), ({}, {"dry_run": True})):
        answer = await classified.client.request("DELETE", PATH, params=params, json=body)
        names = {f"{one['kind']}:{one['value']}" for one in answer.json()["identifiers"]}
        assert names == {ANA, HER_MAIL, KIOSK}
    assert await status_of(classified, ANA) == 200


async def test_what_is_erased_is_nowhere_and_its_receipts_say_so(classified: Classified) -> None:
    await classified.feed(*HISTORY)
    answer = await classified.client.request("DELETE", PATH, params={"dry_run": "true"})
    names = answer.json()["identifiers"]
    certificate = await erase(classified, identifiers=names, reason="asked for it")
    counts = msgspec.convert(certificate["counts"], dict[str, int])
    assert counts.pop("transitions") > 0
    assert counts == {"touchpoints": 2, "identifiers": 3, "links": 3, "quarantine": 0}
    assert is_genuine(certificate, PEPPER)
    assert not is_genuine({**certificate, "suppressed": False}, PEPPER)
    remains = msgspec.convert(certificate["remains"], list[dict[str, str | None]])
    timed = {one["what"]: one["gone_by"] is not None for one in remains}
    assert timed == {"log_copies": False, "spool": True, "dead_rows": True, "write_ahead_log": True}
    for name in (ANA, HER_MAIL, KIOSK, str(identifier_id(identifier(ANA)))):
        assert await status_of(classified, name) == 404
    assert [await receipt(classified, event_id) for event_id in ("a1", "a2", "b1")] == [
        "erased",
        "erased",
        "stored",
    ]
    held = await everything(classified)
    for trace in ("ana@", ":ana", '"ana"', "kiosk", "canary"):
        assert trace not in held
    assert await no_differences(classified)


async def test_identifiers_that_are_not_those_of_the_customer_erase_nothing(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    for names in ([ANA], [ANA, HER_MAIL, KIOSK, BEN], []):
        answer = await classified.client.request("DELETE", PATH, json={"identifiers": names})
        assert (answer.status_code, answer.json()["code"]) == (409, "identifiers_changed")
    assert await status_of(classified, ANA) == 200


async def test_what_comes_again_of_an_erased_customer_is_counted_and_not_stored(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    await erase(classified)
    before = await classified.classifier.ledger()
    await classified.feed(
        *HISTORY, Sent("new", (HER_MAIL,)), Sent("both", (BEN, HER_MAIL)), Sent("b9", (BEN,))
    )
    after = await classified.classifier.ledger()
    gained = {
        name: int(str(after[name])) - int(str(before[name]))
        for name in ("stored", "duplicate", "erased")
    }
    assert gained == {"stored": 1, "duplicate": 2, "erased": 6}
    assert await receipt(classified, "new") == "erased"
    assert await status_of(classified, ANA) == 404
    [row] = await classified.classifier.rows("SELECT * FROM source_counts")
    assert row["accepted"] == 15
    assert sum(int(str(row[name])) for name in ("stored", "duplicate", "erased")) == 15


async def test_erased_event_ids_stay_erased_from_any_sender_of_the_source(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    await erase(classified, suppress=False)
    later = Sent("n1", (HER_MAIL,), at=NOW + SECOND)
    await classified.feed(Sent("a1", ("user_id:eve",)), later)
    assert await receipt(classified, "a1") == "erased"
    assert await status_of(classified, "user_id:eve") == 404
    assert await status_of(classified, HER_MAIL) == 200


async def test_a_suppression_can_be_lifted_and_what_was_erased_stays_so(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    certificate = await erase(classified)
    await classified.feed(Sent("n1", (HER_MAIL,)))
    path = f"/v1/erasures/{certificate['id']}"
    lifted = await classified.post(f"{path}/lift", {"reason": "came back"})
    assert lifted["lifted_at"] is not None
    later = Sent("n2", (HER_MAIL,), at=NOW + SECOND)
    await classified.feed(*HISTORY[:2], Sent("n1", (HER_MAIL,)), later)
    assert [await receipt(classified, one) for one in ("a1", "n1", "n2")] == [
        "erased",
        "erased",
        "stored",
    ]
    assert (await classified.get(path))["certificate"] == certificate


@pytest.mark.parametrize("suppress", [True, False])
async def test_what_was_received_before_an_erasure_is_erased_whenever_it_is_read(
    classified: Classified,
    suppress: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await classified.feed(*HISTORY)
    certificate = await erase(classified, suppress=suppress)
    if suppress:
        await classified.post(f"/v1/erasures/{certificate['id']}/lift")
    on_the_way = Sent("w1", (HER_MAIL,), at=NOW - SECOND)
    with_ben = Sent("w2", (BEN, KIOSK), at=NOW - SECOND, properties={"referred_by": ANA})
    await classified.feed(on_the_way, with_ben, *HISTORY)
    assert [await receipt(classified, one) for one in ("w1", "w2")] == ["erased", "erased"]
    held = await everything(classified)
    for trace in ("ana@", ":ana", '"ana"', "kiosk", "canary"):
        assert trace not in held


async def test_others_are_exactly_as_if_the_customer_had_never_been_seen(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    await erase(classified)
    journey = await classified.journey(BEN)
    path = f"/v1/customers/{BEN}"
    assert await listed(classified, path, "conflicts") == []
    assert [name["value"] for name in await listed(classified, path, "identifiers")] == ["ben"]
    assert b"ana" not in journey
    assert await no_differences(classified)


async def test_refused_items_of_the_customer_go_too_and_those_of_others_stay(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    raws: Sequence[bytes] = (
        b'{"customer": {"email": "Ana@Example.com"}}',
        b'{"properties": {"mail": "ana@example.com"}}',
        b"nonsense of ana@example.com, cut off",
        b'{"customer": {"email": "diana@example.com"}}',
        b'{"customer": {"user_id": "banana"}}',
    )
    refused = [Refused(UUID(int=n), raw=raw) for n, raw in enumerate(raws)]
    await classified.feed(*refused)
    await erase(classified)
    left = await classified.classifier.rows("SELECT id FROM quarantine ORDER BY id")
    assert [UUID(str(row["id"])).int for row in left] == [3, 4]
    await classified.feed(*refused, Refused(UUID(int=9), raw=raws[0]))
    assert await classified.classifier.rows("SELECT id FROM quarantine ORDER BY id") == left


async def test_refused_items_are_recognised_however_their_json_is_written(
    classified: Classified,
) -> None:
    name = 'José "Pepe" Müller'
    await classified.feed(Sent("j1", (f"user_id:{name}",)))
    item = {"customer": {"user_id": name}}
    raws = [json.dumps(item), json.dumps(item, ensure_ascii=False)]
    await classified.feed(*(Refused(UUID(int=n), raw=r.encode()) for n, r in enumerate(raws)))
    await erase(classified, f"/v1/customers/{quote(f'user_id:{name}')}")
    assert await classified.classifier.rows("SELECT id FROM quarantine") == []


async def test_refused_items_in_forms_of_vendors_are_recognised(classified: Classified) -> None:
    await classified.feed(*HISTORY)
    native = b'{"customer": {"email": "ana@example.com"}}'
    refused = [
        Refused(UUID(int=0), raw=b"From=x&mail=Ana%40Example.com&n=1", format="mailgun"),
        Refused(UUID(int=1), raw=b"<opaque>", format="segment", item=native),
        Refused(UUID(int=2), raw=b"mail=diana%40example.com", format="mailgun"),
    ]
    await classified.feed(*refused)
    await erase(classified)
    left = await classified.classifier.rows("SELECT id FROM quarantine")
    assert [UUID(str(row["id"])).int for row in left] == [2]
    await classified.feed(refused[1], Refused(UUID(int=3), raw=b"<opaque>", item=native))
    assert await classified.classifier.rows("SELECT id FROM quarantine") == left


async def test_refused_items_are_recognised_however_a_phone_number_is_written(
    classified: Classified,
) -> None:
    phone = "+493012345678"
    await classified.feed(Sent("p1", (f"phone:{phone}",)))
    source = {"name": "web", "channel": "web", "settings": {"phone_region": "DE"}}
    await classified.client.post("/v1/sources", json=source)
    await classified.client.patch("/v1/sources/web", json={"settings": source["settings"]})
    raws: Sequence[bytes] = (
        b'{"customer": {"phone": "+49 30 12 345 678"}}',
        b'{"customer": {"phone": "(030) 1234-5678"}}',
        json.dumps({"properties": {"tel": "030\u00a012345678"}}).encode(),
        b"1001;030/12345678;2026-01-05",
        b"From=%2B49+30+12345678&n=1",
        b'{"customer": {"phone": "0301234567"}}',
        b'{"customer": {"user_id": "12345678"}}',
    )
    refused = [Refused(UUID(int=n), raw=raw, phone_region="DE") for n, raw in enumerate(raws)]
    await classified.feed(*refused)
    await erase(classified, f"/v1/customers/{quote(f'phone:{phone}')}")
    left = await classified.classifier.rows("SELECT id FROM quarantine ORDER BY id")
    assert [UUID(str(row["id"])).int for row in left] == [5, 6]
    later = [Refused(UUID(int=n), raw=raws[n - 10], phone_region="DE") for n in (10, 11)]
    await classified.feed(*later)
    assert await classified.classifier.rows("SELECT id FROM quarantine ORDER BY id") == left


async def test_an_item_whose_bytes_went_is_known_by_what_was_said_of_it(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    items = [Refused(UUID(int=n), raw=b"x") for n in range(3)]
    await classified.feed(*items)
    async with transaction(classified.classifier.engine) as connection:
        for n, said in enumerate(("'ana@example.com' is no time", "'diana@example.com' is none")):
            await connection.execute(
                "UPDATE quarantine SET raw = '', message = $2 WHERE id = $1", UUID(int=n), said
            )
    await erase(classified)
    left = await classified.classifier.rows("SELECT id FROM quarantine ORDER BY id")
    assert [UUID(str(row["id"])).int for row in left] == [1, 2]


async def test_what_others_were_told_of_a_merge_does_not_name_her_former_id(
    classified: Classified,
) -> None:
    card = "loyalty_id:l-1"
    await classified.feed(*HISTORY, Sent("l1", (card,)))
    link = await classified.post(
        "/v1/links", {"a": ANA, "b": card, "reason": "married"}, status=201
    )
    await classified.post(f"/v1/links/{link['id']}/unlink", {"reason": "not so"})
    his = str(identifier_id(identifier(card)))
    told = f"SELECT data FROM outbox WHERE customer_id = '{his}'"  # noqa: S608 - an id of ours
    her_id = str(identifier_id(identifier(ANA)))
    assert her_id in str(await classified.classifier.rows(told))
    await erase(classified)
    left = await classified.classifier.rows(told)
    assert left
    assert her_id not in str(left)


async def test_an_export_holds_everything(classified: Classified) -> None:
    await classified.feed(*HISTORY, Refused(UUID(int=1), raw=b'{"customer": {"user_id": "ana"}}'))
    path = f"{PATH}/export"
    touchpoints = await listed(classified, path, "touchpoints")
    assert [one["event_id"] for one in touchpoints] == ["a1", "a2"]
    [duplicate] = await listed(classified, path, "duplicates")
    assert "canary" in str(duplicate["last_conflict"])
    assert len(await listed(classified, path, "quarantine")) == 1
    for name in ("transitions", "messages", "journeys"):
        assert await listed(classified, path, name)
    named_in = await listed(classified, path, "named_in")
    assert [one["event_id"] for one in named_in] == ["b2", "b3"]
    assert await listed(classified, path, "deliveries") == []


async def test_a_certificate_names_the_spools_that_were_not_swept(classified: Classified) -> None:
    await classified.feed(*HISTORY)
    async with transaction(classified.classifier.engine) as connection:
        for name, ago in (("spool-dead", 60), ("spool-alive", 1)):
            await connection.execute(
                "INSERT INTO spools (name, records, bytes, oldest_at, seen_at)"
                " VALUES ($1, 1, 1, now(), $2)",
                name,
                datetime_of(NOW - ago * SECOND),
            )
    certificate = await erase(classified)
    remains = msgspec.convert(certificate["remains"], list[dict[str, str | None]])
    [spool] = [one for one in remains if one["what"] == "spool"]
    assert spool["gone_by"] is None
    assert "spool-dead since" in str(spool["detail"])
    assert "spool-alive" not in str(spool["detail"])
    path = f"/v1/erasures/{certificate['id']}"
    assert (await classified.get(path))["spools_waiting"] == ["spool-alive", "spool-dead"]
    async with transaction(classified.classifier.engine) as connection:
        await connection.execute("UPDATE spools SET swept_for = 1 WHERE name = 'spool-alive'")
    assert (await classified.get(path))["spools_waiting"] == ["spool-dead"]


async def test_an_erasure_and_its_lifting_are_in_the_audit_without_a_name(
    classified: Classified,
) -> None:
    await classified.feed(*HISTORY)
    certificate = await erase(classified, reason="by letter")
    await classified.post(f"/v1/erasures/{certificate['id']}/lift")
    rows = await classified.classifier.rows("SELECT * FROM audit ORDER BY id")
    assert [row["action"] for row in rows] == ["customer.erased", "erasure.lifted"]
    assert rows[0]["reason"] == "by letter"
    assert "example.com" not in str(rows)
    async with transaction(classified.classifier.engine) as connection:
        assert [row async for row in broken_links(connection)] == []


@pytest.mark.parametrize("scope", [one for one in Scope if one is not Scope.CUSTOMERS_ERASE])
async def test_no_other_scope_erases(classified: Classified, scope: Scope) -> None:
    await classified.feed(*HISTORY)
    async with client_of(classified.app, f"sk_{scope}") as client:
        answer: httpx.Response = await client.delete(PATH)
    assert answer.status_code == 403
    assert await status_of(classified, ANA) == 200


async def test_who_is_not_there_cannot_be_erased(classified: Classified) -> None:
    answer = await classified.client.delete("/v1/customers/email:nobody@example.com")
    assert answer.status_code == 404
    assert (await classified.client.get(f"/v1/erasures/{UUID(int=1)}")).status_code == 404
    lifted = await classified.client.post(f"/v1/erasures/{UUID(int=1)}/lift")
    assert lifted.status_code == 404


async def test_erasing_twice_is_erasing_once(classified: Classified) -> None:
    await classified.feed(*HISTORY)
    await erase(classified)
    assert (await classified.client.delete(PATH)).status_code == 404


async def test_nobody_links_an_erased_identifier_by_hand(classified: Classified) -> None:
    await classified.feed(*HISTORY)
    await erase(classified)
    answer = await classified.post(
        "/v1/links", {"a": BEN, "b": HER_MAIL, "reason": "a try"}, status=409
    )
    assert answer["code"] == "erased"
    assert await status_of(classified, HER_MAIL) == 404
