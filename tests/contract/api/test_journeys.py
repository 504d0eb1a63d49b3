import random

import pytest

from shared.clock import wall_clock
from shared.instants import DAY, HOUR, Instant, parse_rfc3339, rfc3339
from shared.journey.fold import fold
from shared.journey.render import journey_document
from tests.fixtures.served_api import NOW, START, Served
from tests.fixtures.told import SHOP, Told

JOURNEY = "/v1/customers/user_id:u_1/journey"
Document = dict[str, object]


async def journey(served: Served, **params: str) -> Document:
    answer = await served.client.get(JOURNEY, params=params)
    assert answer.status_code == 200, answer.text
    document: Document = answer.json()
    return document


def folded(served: Served, told: list[Told], as_of: Instant, model: int = 0) -> Document:
    """Return what the contract promises: the fold over the customer's touchpoints."""
    program = served.histories.models[model].program
    touchpoints = [one.touchpoint for one in told]
    return journey_document(fold(program, touchpoints, as_of), program, CUSTOMER)


CUSTOMER = "c93c665a-cde8-5ae7-9a89-be58d33875a8"


def without_freshness(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "freshness"}


def history(seed: int, size: int = 25) -> list[Told]:
    chance = random.Random(seed)
    return [
        Told(
            event_id=f"e{number}",
            at=START + chance.randrange(40) * 12 * HOUR,
            type=chance.choice(["product_viewed", "product_viewed", "order_completed"]),
            traits={"n": number} if chance.random() < 0.3 else {},
        )
        for number in range(size)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_the_answer_is_the_fold_at_any_time(served: Served, seed: int) -> None:
    told = history(seed)
    early, late = told[:15], told[15:]
    await served.histories.store(*early, recorded_at=START + 20 * DAY)
    served.histories.settled_through = START + 21 * DAY
    await served.histories.store(*late, recorded_at=START + 21 * DAY)
    now = folded(served, told, NOW)
    assert without_freshness(await journey(served)) == now
    for days in (-1, 0, 3, 20, 21, 60, 400):
        as_of = START + days * DAY
        asked = await journey(served, as_of=rfc3339(as_of))
        assert without_freshness(asked) == folded(served, told, as_of), days


async def test_time_alone_moves_a_journey_between_what_was_published(served: Served) -> None:
    told = [Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR)]
    await served.histories.store(*told, recorded_at=START + DAY)
    document = await journey(served)
    stage = document["stage"]
    assert isinstance(stage, dict)
    assert (stage["key"], stage["rule"]) == ("awareness", "abandoned")
    assert stage["since"] == rfc3339(START + HOUR + 14 * DAY)


async def test_a_journey_reaches_no_further_than_the_log_was_read(served: Served) -> None:
    told = [Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR)]
    await served.histories.store(*told, recorded_at=START + DAY)
    await served.histories.read_through(START + 2 * DAY)
    document = await journey(served)
    assert document["as_of"] == rfc3339(START + 2 * DAY)
    assert document["freshness"] == {
        "as_of": rfc3339(START + 2 * DAY),
        "lag_seconds": 28 * 86_400.0,
        "stale": True,
    }


async def test_while_nobody_knows_how_far_the_log_was_read_no_deadline_is_applied(
    served: Served,
) -> None:
    told = [Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR)]
    await served.histories.store(*told, recorded_at=START + DAY)
    await served.histories.read_through(None)
    document = await journey(served)
    assert document["as_of"] == rfc3339(START + HOUR)
    assert document["freshness"] == {"as_of": None, "lag_seconds": None, "stale": True}


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_known_then_is_the_fold_of_what_was_recorded_by_then(
    served: Served, seed: int
) -> None:
    told = history(seed, 24)
    batches = {START + day * DAY: told[day * 6 : day * 6 + 6] for day in range(4)}
    for recorded_at, batch in batches.items():
        await served.histories.store(*batch, recorded_at=recorded_at)
    known: list[Told] = []
    for recorded_at, batch in batches.items():
        known += batch
        document = await journey(served, known_at=rfc3339(recorded_at))
        expected = folded(served, known, recorded_at) | {"known_at": rfc3339(recorded_at)}
        assert without_freshness(document) == expected
        later = await journey(served, known_at=rfc3339(recorded_at), as_of=rfc3339(NOW))
        assert later["transitions"] == folded(served, known, NOW)["transitions"]


async def test_what_was_known_stays_the_same_whatever_comes_later(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    known_at = rfc3339(wall_clock())
    before = without_freshness(await journey(served, known_at=known_at))
    late = Told(event_id="e0", at=START - DAY, type="order_completed")
    await served.histories.store(late, recorded_at=wall_clock())
    assert without_freshness(await journey(served, known_at=str(before["known_at"]))) == before


async def test_a_time_to_come_is_moved_back_and_told(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    document = await journey(served, known_at="9999-01-01T00:00:00Z")
    known_at = parse_rfc3339(str(document["known_at"]))
    assert START < known_at <= wall_clock()
    assert document["as_of"] == document["known_at"]


OTHER = SHOP.replace("key: shop", "key: other").replace("at_least: 2", "at_least: 3")


async def test_each_active_model_answers_by_its_key_and_its_version(served: Served) -> None:
    other = await served.histories.add_model(OTHER, default=False, at=START)
    told = history(1)
    await served.histories.store(*told, recorded_at=START + DAY)
    expected = folded(served, told, NOW, model=1)
    assert without_freshness(await journey(served, model="other")) == expected
    assert without_freshness(await journey(served, model=other.version)) == expected
    assert (await journey(served))["model"] == "shop"
    missing = await served.client.get(JOURNEY, params={"model": "nowhere"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_an_earlier_belief_is_under_the_model_of_its_time(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(2)]
    await served.histories.store(*told, recorded_at=START + DAY)
    await served.histories.connection.execute("UPDATE models SET state = 'retired'")
    await served.histories.connection.execute("UPDATE models SET is_default = false")
    stricter = SHOP.replace("at_least: 2", "at_least: 3")
    new = await served.histories.add_model(stricter, default=True, at=START + 5 * DAY)
    old_version = served.histories.models[0].version
    then = await journey(served, known_at=rfc3339(START + 2 * DAY))
    assert then["version"] == old_version
    now = await journey(served, known_at=rfc3339(START + 6 * DAY))
    assert now["version"] == new.version
    chosen = await journey(served, known_at=rfc3339(START + 2 * DAY), model=new.version)
    assert chosen["version"] == new.version


async def test_a_reader_who_holds_the_answer_is_told_so_though_time_goes_on(
    served: Served,
) -> None:
    told = Told(event_id="e1", at=START, type="order_completed")
    await served.histories.store(told, recorded_at=START + DAY)
    first = await served.client.get(JOURNEY)
    served.clock.now += HOUR
    await served.histories.read_through(NOW + HOUR)
    again = await served.client.get(JOURNEY, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    more = Told(event_id="e2", at=START + HOUR, type="order_completed")
    await served.histories.store(more, recorded_at=START + 2 * DAY)
    changed = await served.client.get(JOURNEY, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


async def test_a_score_that_only_decays_is_no_news(served: Served) -> None:
    told = Told(event_id="e1", at=NOW - DAY)
    await served.histories.store(told, recorded_at=NOW - HOUR)
    first = await served.client.get(JOURNEY)
    served.clock.now += HOUR
    await served.histories.read_through(NOW + HOUR)
    later = await served.client.get(JOURNEY)
    assert later.json()["scores"]["intent"] < first.json()["scores"]["intent"]
    assert later.headers["etag"] == first.headers["etag"]
    await served.histories.store(Told(event_id="e2", at=NOW), recorded_at=NOW + HOUR)
    changed = await served.client.get(JOURNEY)
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_cache_that_another_version_wrote_is_not_trusted(served: Served) -> None:
    told = history(2)
    await served.histories.store(*told, recorded_at=START + DAY)
    await served.histories.connection.execute("UPDATE journeys SET state = '\\x00ff'")
    assert without_freshness(await journey(served)) == folded(served, told, NOW)


async def test_who_was_known_then_is_folded_too(served: Served) -> None:
    visits = [
        Told(event_id=f"a{n}", at=START + n * HOUR, identifiers=("anonymous_id:a_1",))
        for n in range(2)
    ]
    order = Told(event_id="u0", at=START + 5 * HOUR, type="order_completed")
    await served.histories.store(*visits, order, recorded_at=START + DAY)
    apart = await journey(served, known_at=rfc3339(START + DAY))
    login = Told(event_id="login", at=START, identifiers=("user_id:u_1", "anonymous_id:a_1"))
    await served.histories.store(login, recorded_at=START + 2 * DAY)
    together = await journey(served, known_at=rfc3339(START + 2 * DAY))
    assert (apart["counts"], together["counts"]) == (
        {"looked": 0, "bought": 1},
        {"looked": 3, "bought": 1},
    )
    await served.histories.bar("user_id:u_1", "anonymous_id:a_1", at=START + 3 * DAY)
    for known_at, expected in ((START + DAY, apart), (START + 2 * DAY, together)):
        answered = await journey(served, known_at=rfc3339(known_at))
        assert without_freshness(answered) == without_freshness(expected)
    since = await journey(served, known_at=rfc3339(START + 3 * DAY))
    assert since["counts"] == {"looked": 1, "bought": 1}
