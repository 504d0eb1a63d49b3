from typing import Annotated
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from services.api.asking import described, parsed
from services.api.parameters import JourneyParameters, Parameters, TimelineParameters, Waiting

app = FastAPI()


@app.exception_handler(RequestValidationError)
async def refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse(sorted(str((f["loc"], f["type"], f["msg"])) for f in error.errors()), 400)


@app.get("/ours", openapi_extra=described(TimelineParameters))
async def ours(wanted: Annotated[TimelineParameters, parsed(TimelineParameters)]) -> str:
    return repr(wanted)


@app.get("/theirs")
async def theirs(wanted: Annotated[TimelineParameters, Query()]) -> str:
    return repr(wanted)


NAMES = ["limit", "from", "channel", "type", "kinds", "wait_for", "superseded", "order", "colour"]
VALUES = ["", "1", "true", "web", "email", "touchpoint,identity", "web/e1", "asc", "\0", "2025"]
pairs = st.tuples(
    st.sampled_from(NAMES), st.sampled_from([*VALUES, "2025-03-01T12:00:00Z"]) | st.text(max_size=3)
)


@given(st.lists(pairs, max_size=5))
async def test_a_query_is_read_as_fastapi_would_read_it(query: list[tuple[str, str]]) -> None:
    text = urlencode(query, errors="replace")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        mine = await client.get(f"/ours?{text}")
        fastapis = await client.get(f"/theirs?{text}")
    assert (mine.status_code, mine.json()) == (fastapis.status_code, fastapis.json())


def test_it_is_described_as_fastapi_would_describe_it() -> None:
    paths = app.openapi()["paths"]

    def named(path: str) -> list[tuple[str, str, bool]]:
        return [
            (item["name"], item["in"], item["required"])
            for item in paths[path]["get"]["parameters"]
        ]

    assert named("/ours") == named("/theirs")


@pytest.mark.parametrize("model", [Waiting, TimelineParameters, JourneyParameters])
def test_a_description_refers_to_nothing_outside_of_itself(model: type[Parameters]) -> None:
    assert "$ref" not in str(described(model))
