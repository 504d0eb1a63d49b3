"""The law of erasure: for everybody else, it is as if the customer had never been seen.

Two databases: in one, everybody's touchpoints are classified and one customer is erased; in the
other, that customer's touchpoints were never sent, and nobody else's carries their names. The API
answers the same of everybody else, and does so when the log is read once more from its beginning.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.erasure import ERASED_NAME
from shared.identity.identifiers import identifier_id
from shared.instants import DAY
from shared.storage.verification import Difference
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.classification import START, Sent
from tests.fixtures.classified_api import Classified, classified_api
from tests.fixtures.histories import TYPES, findings
from tests.fixtures.told import identifier
from tests.postgres import PostgresForTests

NAMES: Final = (  # the most trusted first, as ingest ranks them
    "user_id:ana",
    "user_id:ben",
    "user_id:cem",
    "email:ana@example.com",
    "email:home@example.com",
    "anonymous_id:kiosk",
    "anonymous_id:phone",
)
UNTOLD: Final = frozenset({"freshness", "position", "decided_at", "recorded_at"})
"""Members that say when something was classified, not what."""
PAGES: Final = ("", "/timeline?limit=500", "/journey", "/explanation")


@st.composite
def histories(draw: st.DrawFn) -> list[list[Sent]]:
    """Draw batches of touchpoints of people who share what they have."""
    length = draw(st.integers(2, 14))
    drawn = [draw(_touchpoint(number)) for number in range(length)]
    again = draw(st.lists(st.sampled_from(drawn), max_size=3))
    sent = drawn + [dataclasses.replace(one, traits={"plan": "again"}) for one in again]
    sent = draw(st.permutations(sent))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=3)))
    edges = [0, *cuts, len(sent)]
    return [list(sent[a:b]) for a, b in pairwise(edges) if a < b]


@st.composite
def _touchpoint(draw: st.DrawFn, number: int) -> Sent:
    carried = draw(st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
    properties: dict[str, object] = {"order_id": f"o{draw(st.integers(0, 3))}"}
    if draw(st.integers(0, 3)) == 0:
        properties["referred_by"] = draw(st.sampled_from(NAMES))
    return Sent(
        f"e{number}",
        tuple(name for name in NAMES if name in carried),
        at=START + draw(st.integers(0, 60)) * DAY,
        type=draw(st.sampled_from(TYPES)),
        properties=properties,
        traits={"plan": draw(st.sampled_from(["free", "pro"]))} if draw(st.booleans()) else {},
        links=draw(st.integers(0, 4)) > 0,
    )


def without(sent: Sequence[Sent], names: frozenset[str]) -> list[Sent]:
    """Return what the others sent, with nothing of *names* in it."""
    return [_unnamed(one, names) for one in sent if one.identifiers[0] not in names]


def _unnamed(sent: Sent, names: frozenset[str]) -> Sent:
    properties = dict(sent.properties)
    if properties.get("referred_by") in names:
        properties["referred_by"] = ERASED_NAME
    kept = tuple(name for name in sent.identifiers if name not in names)
    return dataclasses.replace(sent, identifiers=kept, properties=properties)


def told(value: JsonValue) -> JsonValue:
    """Return *value* without what only says when it was classified."""
    if isinstance(value, dict):
        untold = UNTOLD if "axis" in value else UNTOLD | {"id"}  # ids of links are drawn
        if "identifiers" in value and "referrals" in value:
            untold |= {"referrals", "referred_by"}
        return {name: told(part) for name, part in value.items() if name not in untold}
    if isinstance(value, list):
        parts = [told(part) for part in value]
        return sorted(parts, key=msgspec.json.encode)  # links of one touchpoint have no order
    return value


def differing(one: JsonValue, other: JsonValue, path: str = "") -> list[str]:
    """Return where two documents differ, and what they say there."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for name in sorted({*one, *other})
            for found in differing(one.get(name), other.get(name), f"{path}/{name}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for place, pair in pairs for found in differing(*pair, f"{path}/{place}")]
    return [] if one == other else [f"{path}: {one!r}, and without the customer {other!r}"]


async def answers(classified: Classified, names: Sequence[str]) -> JsonObject:
    """Return what the API says of everybody known by *names*."""
    said: JsonObject = {}
    for name in names:
        for page in PAGES:
            answer = await classified.client.get(f"/v1/customers/{name}{page}")
            known = answer.status_code == 200
            document = msgspec.convert(answer.json(), JsonObject) if known else {}
            said[name + page] = told(document) or answer.status_code
    return said


async def never_seen(
    url: str, batches: Sequence[Sequence[Sent]], names: frozenset[str]
) -> JsonObject:
    """Return what is answered of the others where *names* were never seen."""
    async with classified_api(url) as classified:
        for batch in batches:
            if kept := without(batch, names):
                await classified.classifier.feed(*kept)
        await classified.classifier.read_to_end()
        return await answers(classified, [name for name in NAMES if name not in names])


async def erased(
    url: str, batches: Sequence[Sequence[Sent]], whose: str, *, suppress: bool
) -> tuple[frozenset[str], JsonObject, JsonObject]:
    """Return the names that were erased, and what is said of others, before and after a replay."""
    async with classified_api(url) as classified:
        for batch in batches:
            await classified.classifier.feed(*batch)
        await classified.classifier.read_to_end()
        path = f"/v1/customers/{whose}"
        answer = await classified.client.request("DELETE", path, json={"suppress": suppress})
        assert answer.status_code == 200
        gone = frozenset(f"{one['kind']}:{one['value']}" for one in answer.json()["identifiers"])
        others = [name for name in NAMES if name not in gone]
        after = await answers(classified, others)
        assert (await classified.client.delete(path)).status_code == 404, "twice is once"

        classified.classifier.forget_claims()
        await classified.classifier.execute(
            "UPDATE claims SET next_offset = start_offset, stored = 0, duplicate = 0,"
            " quarantined = 0, erased = 0, gaps = 0"
        )
        for batch in batches:
            await classified.classifier.feed(*batch)
        await classified.classifier.read_to_end()
        replayed = await answers(classified, others)
        await _nothing_is_left(classified, gone)
        return gone, after, replayed


async def _nothing_is_left(classified: Classified, gone: frozenset[str]) -> None:
    found = await findings(classified.classifier)
    assert not [finding for finding in found if isinstance(finding, Difference)]
    for name in gone:
        assert (await classified.client.get(f"/v1/customers/{name}")).status_code == 404
        own_id = identifier_id(identifier(name))
        assert (await classified.client.get(f"/v1/customers/{own_id}")).status_code == 404
    tables = await classified.classifier.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    for table in tables:
        rows = await classified.classifier.rows(f"SELECT t::text FROM {table['tablename']} t")  # noqa: S608
        for name in gone:
            assert name not in str(rows), table["tablename"]


@settings(
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=histories(), data=st.data(), suppress=st.booleans())
def test_for_everybody_else_an_erased_customer_was_never_seen(
    postgres: PostgresForTests,
    batches: list[list[Sent]],
    data: st.DataObject,
    suppress: bool,  # noqa: FBT001 - drawn
) -> None:
    seen = [one.identifiers[0] for batch in batches for one in batch]
    whose = data.draw(st.sampled_from(seen))
    with postgres.database() as one, postgres.database() as other:
        gone, after, replayed = asyncio.run(erased(one, batches, whose, suppress=suppress))
        expected = asyncio.run(never_seen(other, batches, gone))
    assert differing(after, expected) == []
    assert differing(replayed, expected) == []
