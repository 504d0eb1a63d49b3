"""Referrals: who sent a customer and whom they sent, along the chain both ways."""

import random

import pytest

from shared.identity.identifiers import identifier_id
from shared.instants import DAY
from shared.storage.referrals import leave_stub
from shared.storage.verification import Difference
from shared.touchpoints import JsonObject
from shared.upkeep.transactions import transaction
from tests.fixtures.classification import START, Sent
from tests.fixtures.classified_api import Classified
from tests.fixtures.histories import findings
from tests.fixtures.told import identifier


def id_of(name: str) -> str:
    return str(identifier_id(identifier(name)))


def sent_by(event_id: str, who: str, referrer: str, day: int = 0) -> Sent:
    at = START + day * DAY
    return Sent(event_id, tuple(who.split()), at=at, properties={"referred_by": referrer})


async def chains(classified: Classified, name: str) -> tuple[list[object], list[object]]:
    document = await classified.get(f"/v1/customers/{name}")
    return (
        [each["customer_id"] for each in as_list(document["referred_by"])],
        [each["customer_id"] for each in as_list(document["referrals"])],
    )


async def test_a_chain_is_read_from_both_of_its_ends(classified: Classified) -> None:
    await classified.feed(
        Sent("a", ("user_id:ana",)),
        sent_by("b", "user_id:ben", "user_id:ana"),
        sent_by("c", "user_id:cid", "user_id:ben"),
        sent_by("d", "user_id:dan", "user_id:ben"),
    )
    ana, ben, cid, dan = (id_of(f"user_id:{name}") for name in ("ana", "ben", "cid", "dan"))
    assert await chains(classified, "user_id:cid") == ([ben, ana], [])
    assert await chains(classified, "user_id:ana") == ([], [ben, *[cid, dan]])
    document = await classified.get("/v1/customers/user_id:ana")
    assert [each["depth"] for each in as_list(document["referrals"])] == [1, 2, 2]
    assert as_list(document["referrals"])[1]["referred_by"] == ben
    assert document["links"] == []


async def test_the_first_referral_counts_whenever_it_arrives(classified: Classified) -> None:
    await classified.feed(
        Sent("a", ("user_id:ana",)),
        Sent("b", ("user_id:ben",)),
        sent_by("c2", "user_id:cid", "user_id:ana", day=2),
    )
    assert await chains(classified, "user_id:cid") == ([id_of("user_id:ana")], [])
    await classified.feed(sent_by("c1", "user_id:cid", "user_id:ben", day=1))
    assert await chains(classified, "user_id:cid") == ([id_of("user_id:ben")], [])
    assert await chains(classified, "user_id:ana") == ([], [])


async def test_referrals_follow_people_through_merges(classified: Classified) -> None:
    await classified.feed(
        Sent("a", ("anonymous_id:a",)),
        sent_by("b", "anonymous_id:b", "anonymous_id:a"),
        sent_by("self", "anonymous_id:b", "user_id:ben"),
    )
    await classified.feed(
        Sent("a2", ("user_id:ana", "anonymous_id:a"), at=START + DAY),
        Sent("b2", ("user_id:ben", "anonymous_id:b"), at=START + DAY),
    )
    assert await chains(classified, "user_id:ben") == ([id_of("user_id:ana")], [])
    assert await chains(classified, "user_id:ana") == ([], [id_of("user_id:ben")])


async def test_somebody_not_seen_yet_is_named_and_known_once_they_come(
    classified: Classified,
) -> None:
    await classified.feed(sent_by("b", "user_id:ben", "email:Ana@Example.com"))
    document = await classified.get("/v1/customers/user_id:ben")
    [referrer] = as_list(document["referred_by"])
    assert (referrer["customer_id"], referrer["identifier"]) == (None, "email:ana@example.com")
    await classified.feed(Sent("a", ("user_id:ana", "email:ana@example.com")))
    assert await chains(classified, "user_id:ben") == ([id_of("user_id:ana")], [])


async def test_a_circle_of_referrals_ends(classified: Classified) -> None:
    await classified.feed(
        sent_by("a", "user_id:ana", "user_id:ben"), sent_by("b", "user_id:ben", "user_id:ana")
    )
    up, down = await chains(classified, "user_id:ana")
    assert up == [id_of("user_id:ben"), id_of("user_id:ana")]
    assert down == [id_of("user_id:ben")]


async def test_an_erased_person_leaves_a_stub_that_chains_go_through(
    classified: Classified,
) -> None:
    await classified.feed(
        Sent("a", ("user_id:ana",)),
        sent_by("b", "user_id:ben", "user_id:ana"),
        sent_by("c", "user_id:cid", "user_id:ben"),
    )
    async with transaction(classified.classifier.engine) as connection:
        ids = await connection.fetch("SELECT id FROM identifiers WHERE value = 'ben'")
        await leave_stub(connection, [row["id"] for row in ids])
    cid = as_list((await classified.get("/v1/customers/user_id:cid"))["referred_by"])
    assert [(each["customer_id"], each["erased"], each["identifier"]) for each in cid] == [
        (None, True, None),
        (id_of("user_id:ana"), False, "user_id:ana"),
    ]
    ana = as_list((await classified.get("/v1/customers/user_id:ana"))["referrals"])
    assert [(each["depth"], each["customer_id"], each["erased"]) for each in ana] == [
        (1, None, True),
        (2, id_of("user_id:cid"), False),
    ]
    [left] = await classified.classifier.rows(
        "SELECT source, event_id FROM referrals WHERE referee_stub IS NOT NULL"
    )
    assert left == {"source": None, "event_id": None}


@pytest.mark.parametrize("seed", range(3))
async def test_order_repetition_and_batching_do_not_matter(
    classified: Classified, seed: int
) -> None:
    chance = random.Random(seed)
    people = [f"user_id:p{n}" for n in range(6)]
    sent = [
        sent_by(f"e{n}", chance.choice(people), chance.choice(people), day=chance.randrange(4))
        for n in range(20)
    ]
    arriving = [*sent, *chance.sample(sent, 8)]
    chance.shuffle(arriving)
    while arriving:
        size = chance.randrange(1, 9)
        await classified.feed(*arriving[:size])
        del arriving[:size]
    first: dict[str, tuple[int, str, str]] = {}
    for one in sent:
        who, by = one.identifiers[0], str(one.properties["referred_by"])
        if who != by:
            first[who] = min(first.get(who, (one.at, one.event_id, by)), (one.at, one.event_id, by))
    for person in {one.identifiers[0] for one in sent}:
        up, _ = await chains(classified, person)
        expected = [id_of(first[person][2])] if person in first else []
        known = {one.identifiers[0] for one in sent}
        assert up[:1] == [each if first[person][2] in known else None for each in expected]
    found = await findings(classified.classifier)
    assert not [finding for finding in found if isinstance(finding, Difference)]


def as_list(value: object) -> list[JsonObject]:
    assert isinstance(value, list)
    return value
