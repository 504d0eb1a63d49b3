"""No input causes a 500."""

from collections.abc import Mapping
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told

PARAMETERS = [
    "ref",
    "source",
    "event_id",
    "limit",
    "cursor",
    "order",
    "from",
    "to",
    "channel",
    "type",
    "kinds",
    "model",
    "known_at",
    "as_of",
    "superseded",
    "wait_for",
    "stage",
    "role",
    "phase",
    "activity",
    "first_channel",
    "seen_since",
    "q",
    "reason",
    "status",
    "since",
]
PATHS = [
    "/v1/customers",
    "/v1/customers/lookup",
    "/v1/customers/lookup/timeline",
    "/v1/customers/lookup/journey",
    "/v1/customers/user_id:u_1",
    "/v1/customers/user_id:u_1/timeline",
    "/v1/customers/user_id:u_1/journey",
    "/v1/receipts",
    "/v1/stages",
    "/v1/quarantine",
]
SAMPLES = [
    "\0",
    "9" * 400,
    "-1",
    "1e999",
    "NaN",
    "2025-03-01T12:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+14:00",
    "user_id:u_1",
    "user_id:\0",
    "web/e1",
    "shop",
    "desc",
    "touchpoint",
    "true",
    "\U0010ffff",
    "%",
    "\\",
    "'",
    "x" * 5_000,
]
values = st.sampled_from(SAMPLES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
queries = st.dictionaries(st.sampled_from(PARAMETERS), values, max_size=4)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


async def asked(served: Served, path: str, query: Mapping[str, str]) -> int:
    answer = await served.client.get(path, params={"timeout": "0", **query})
    if answer.status_code == 400 and "timeout" in answer.text:
        answer = await served.client.get(path, params=query)
    return answer.status_code


@relaxed
@given(path=st.sampled_from(PATHS), query=queries)
async def test_no_parameter_causes_an_internal_error(
    served: Served, path: str, query: dict[str, str]
) -> None:
    await once(served)
    assert await asked(served, path, query) in {200, 400, 404, 504}


@relaxed
@given(
    start=st.sampled_from(
        ["/v1/customers/", "/v1/receipts/web/", "/v1/models/", "/v1/quarantine/"]
    ),
    segment=values.map(lambda text: quote(text, safe=""))
    | st.binary(max_size=8).map(lambda data: "".join(f"%{byte:02X}" for byte in data)),
    rest=st.sampled_from(["", "/timeline", "/journey", "/nothing"]),
)
async def test_no_path_causes_an_internal_error(
    served: Served, start: str, segment: str, rest: str
) -> None:
    await once(served)
    assert await asked(served, f"{start}{segment}{rest}", {}) in {200, 400, 404}


async def once(served: Served) -> None:
    """Store a history if this is the first example."""
    if not await served.histories.connection.fetchval("SELECT count(*) FROM touchpoints"):
        told = [Told(event_id=f"e{n}", at=START + n) for n in range(3)]
        await served.histories.store(*told, recorded_at=START)


async def test_the_furthest_times_that_a_sender_can_give_are_shown(served: Served) -> None:
    connection = served.histories.connection
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    for time in ("0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "infinity"):
        await connection.execute("UPDATE touchpoints SET occurred_at = $1::text::timestamptz", time)
        answer = await served.client.get("/v1/customers/user_id:u_1/timeline")
        assert answer.status_code == 200, time
