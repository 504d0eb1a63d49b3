from collections.abc import Iterator

import pytest

from shared.keys import Scope
from tests.fixtures.served_api import Served, client_of

OPEN = {"/v1/health"}
ADMIN = {"/v1/sources", "/v1/keys", "/v1/sources/{name}", "/v1/keys/{key_id}", "/v1/demo"}
ADMIN_BELOW = ("/v1/webhooks", "/v1/links", "/v1/audit", "/v1/keys/")
ALSO_READABLE = {
    "/v1/policy": {Scope.ADMIN},
    "/v1/models": {Scope.MODELS_WRITE},
    "/v1/models/{version}": {Scope.MODELS_WRITE},
    "/v1/models/{version}/diff": {Scope.MODELS_WRITE},
    "/v1/models/{version}/observations": {Scope.MODELS_WRITE},
    "/v1/personas": {Scope.MODELS_WRITE},
    "/v1/personas/{key}": {Scope.MODELS_WRITE},
    "/v1/quarantine": {Scope.QUARANTINE_WRITE},
    "/v1/erasures": {Scope.CUSTOMERS_ERASE},
    "/v1/erasures/{certificate_id}": {Scope.CUSTOMERS_ERASE},
    "/v1/quarantine/{quarantine_id}": {Scope.QUARANTINE_WRITE},
}

ENDLESS = {"/v1/stream": {"cursor": "none of ours"}}
"""What makes a route end that goes on for as long as the reader stays."""

WRITES = {
    ("PUT", "/v1/policy"): Scope.ADMIN,
    ("POST", "/v1/models"): Scope.MODELS_WRITE,
    ("POST", "/v1/models/{version}/activate"): Scope.MODELS_WRITE,
    ("PUT", "/v1/personas/{key}"): Scope.MODELS_WRITE,
    ("DELETE", "/v1/personas/{key}"): Scope.MODELS_WRITE,
    ("POST", "/v1/models/{version}/shadow"): Scope.MODELS_WRITE,
    ("DELETE", "/v1/models/{version}/shadow"): Scope.MODELS_WRITE,
    ("POST", "/v1/models/rollback"): Scope.MODELS_WRITE,
    ("POST", "/v1/models/{name}/rollback"): Scope.MODELS_WRITE,
    ("DELETE", "/v1/customers/{ref}"): Scope.CUSTOMERS_ERASE,
    ("DELETE", "/v1/customers/lookup"): Scope.CUSTOMERS_ERASE,
    ("POST", "/v1/erasures/{certificate_id}/lift"): Scope.CUSTOMERS_ERASE,
    ("POST", "/v1/quarantine/redrive"): Scope.QUARANTINE_WRITE,
    ("POST", "/v1/quarantine/{quarantine_id}/redrive"): Scope.QUARANTINE_WRITE,
    ("POST", "/v1/quarantine/{quarantine_id}/discard"): Scope.QUARANTINE_WRITE,
}


def operations(served: Served) -> Iterator[tuple[str, str]]:
    """Yield method and path of everything the API says it offers."""
    for path, operation in served.app.openapi()["paths"].items():
        for method in operation:
            yield method.upper(), path


def scopes_for(method: str, path: str) -> set[Scope]:
    if (method, path) in WRITES:
        return {WRITES[method, path]}
    if path in ADMIN or path.startswith(ADMIN_BELOW) or path.endswith("/unlink"):
        return {Scope.ADMIN}
    return {Scope.CUSTOMERS_READ, *ALSO_READABLE.get(path, set())}


async def test_every_route_but_health_wants_a_key(served: Served) -> None:
    asked = 0
    for key in (None, "sk_unknown", "wk_web"):
        async with client_of(served.app, key) as client:
            for method, path in operations(served):
                if path in OPEN:
                    continue
                answer = await client.request(method, path)
                assert answer.status_code == (403 if key == "wk_web" else 401), (method, path)
                assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
                asked += 1
    assert asked > 40


async def test_who_may_not_ask_is_told_so_whatever_the_body_is(served: Served) -> None:
    writes = [one for one in operations(served) if one[0] not in {"GET", "DELETE"}]
    for key, status in ((None, 401), ("wk_web", 403)):
        async with client_of(served.app, key) as client:
            for method, path in writes:
                answer = await client.request(method, path, content=b"{")
                assert answer.status_code == status, (method, path)
    assert len(writes) > 15


@pytest.mark.parametrize("scope", Scope)
async def test_a_scope_opens_exactly_its_routes(served: Served, scope: Scope) -> None:
    async with client_of(served.app, f"sk_{scope}") as client:
        for method, path in operations(served):
            if path in OPEN:
                continue
            answer = await client.request(method, path, params=ENDLESS.get(path))
            assert (answer.status_code != 403) == (scope in scopes_for(method, path)), (
                method,
                path,
            )


async def test_a_secret_key_in_a_page_of_another_site_is_refused(served: Served) -> None:
    path = "/v1/stages"
    foreign = await served.client.get(path, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "secret_key_in_browser")
    own = await served.client.get(path, headers={"Origin": "http://api.test"})
    assert own.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer sk_all"},
        {"Authorization": "Basic c2tfYWxsOg=="},
        {"X-Write-Key": "sk_all"},
    ],
)
async def test_a_key_may_be_presented_in_three_ways(
    served: Served, headers: dict[str, str]
) -> None:
    async with client_of(served.app, None) as client:
        assert (await client.get("/v1/stages", headers=headers)).status_code == 200


async def test_a_parameter_that_is_not_known_is_named_with_those_that_are(served: Served) -> None:
    for method, path in operations(served):
        if method != "GET":
            continue
        answer = await served.client.get(path, params={"colour": "red"})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), path
        assert "colour" in [fault["path"] for fault in answer.json()["errors"]]
    answer = await served.client.get("/v1/stages", params={"colour": "red"})
    assert "model" in answer.json()["errors"][0]["message"]
    for method, path in (("GET", "/v1/ledger"), ("POST", "/v1/sources")):
        answer = await served.client.request(method, path, params={"colour": "red"})
        fault = answer.json()["errors"][0]
        assert (fault["path"], fault["code"]) == ("colour", "unknown_parameter")
        assert "takes none" in fault["message"]


async def test_another_method_and_another_path_are_problems_too(served: Served) -> None:
    wrong_method = await served.client.put("/v1/stages")
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "GET")
    for path in ("/v2", "/v1/customers/", "/v1/stages/", "/v1//stages"):
        answer = await served.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
