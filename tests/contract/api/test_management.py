import pytest

from shared.instants import rfc3339
from shared.keys import is_key, key_digest
from tests.fixtures.served_api import NOW, Served

SHOP_SOURCE = {"name": "shop", "channel": "web", "settings": {"phone_region": "DE"}}


async def test_a_source_is_made_listed_and_changed(served: Served) -> None:
    made = await served.client.post("/v1/sources", json=SHOP_SOURCE)
    assert made.status_code == 201
    document = made.json()
    assert (document["name"], document["channel"]) == ("shop", "web")
    assert document["settings"]["phone_region"] == "DE"
    assert document["created_at"] == rfc3339(NOW)
    listed = (await served.client.get("/v1/sources")).json()["items"]
    assert [source for source in listed if source["name"] == "shop"] == [document]
    changed = await served.client.patch(
        "/v1/sources/shop", json={"settings": {"types": ["order_completed"]}}
    )
    assert changed.status_code == 200
    assert changed.json()["settings"]["types"] == ["order_completed"]
    assert changed.json()["settings"]["phone_region"] == "DE"


async def test_a_source_has_a_channel_of_its_own(served: Served) -> None:
    await served.client.post("/v1/sources", json={"name": "till", "channel": "in_store"})
    changed = await served.client.patch("/v1/sources/till", json={"channel": "other"})
    assert changed.json()["channel"] == "other"


async def test_two_sources_cannot_have_one_name(served: Served) -> None:
    await served.client.post("/v1/sources", json=SHOP_SOURCE)
    again = await served.client.post("/v1/sources", json=SHOP_SOURCE)
    assert (again.status_code, again.json()["code"]) == (409, "source_exists")


async def test_a_source_that_is_not_there_cannot_be_changed(served: Served) -> None:
    for name in ("nowhere", "x" * 700, "%00", "%FF", "a%2Fb"):
        answer = await served.client.patch(f"/v1/sources/{name}", json={"channel": "web"})
        assert answer.status_code in {400, 404}, name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b'{"name": "Bad Name", "channel": "web"}',
        b'{"name": "shop", "channel": "tv"}',
        b'{"name": "shop", "channels": "web"}',
        b'{"name": "shop", "settings": {"nonsense": 1}}',
        b'{"name": "shop", "settings": {"types": ["\\ud800"]}}',
        b'{"name": "shop", "settings": {"column_map": {"\\ud800": "type"}}}',
        b'{"name": "shop", "settings": {"types": ["\\u0000"]}}',
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"name": "shop", "settings": {"rate_limit": {"per_second": NaN}}}',
        b'{"name": "shop", "settings": {"rate_limit": {"per_second": 1e999}}}',
        b'{"name": "shop", "settings": {"skew_limit": ' + b"9" * 5_000 + b"}}",
        b'{"name": "shop", "settings": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b"[" * 100_000,
    ],
)
async def test_a_body_that_is_wrong_is_refused_and_says_so(served: Served, body: bytes) -> None:
    answer = await served.client.post(
        "/v1/sources", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in {"bad_json", "invalid_body", "invalid_source"}
    assert "shop" not in {item["name"] for item in (await listed(served))}


async def listed(served: Served) -> list[dict[str, str]]:
    items: list[dict[str, str]] = (await served.client.get("/v1/sources")).json()["items"]
    return items


async def test_a_body_that_is_too_long_is_refused(served: Served) -> None:
    answer = await served.client.post("/v1/sources", json={"name": "x" * (2 << 20)})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_write_key_is_shown_once_and_stored_as_a_digest(served: Served) -> None:
    await served.client.post("/v1/sources", json=SHOP_SOURCE)
    made = await served.client.post("/v1/keys", json={"source": "shop", "name": "website"})
    assert made.status_code == 201
    key = made.json()["key"]
    assert is_key(key)
    assert key.startswith("wk_")
    (document,) = (await served.client.get("/v1/keys")).json()["items"]
    assert document == {
        "id": made.json()["id"],
        "kind": "write",
        "name": "website",
        "source": "shop",
        "scopes": document["scopes"],
        "created_at": rfc3339(NOW),
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    digest = await served.histories.connection.fetchval("SELECT digest FROM keys")
    assert digest == key_digest(b"pepper", key)


async def test_a_secret_key_has_scopes(served: Served) -> None:
    body = {"kind": "secret", "scopes": ["customers:read"], "name": "crm"}
    made = (await served.client.post("/v1/keys", json=body)).json()
    assert made["key"].startswith("sk_")
    assert made["scopes"] == ["customers:read"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "write"},
        {"kind": "secret"},
        {"kind": "secret", "scopes": ["everything"]},
        {"kind": "write", "source": "nowhere"},
        {"kind": "write", "source": "api", "scopes": ["admin"]},
        {"scopes": ["admin"], "name": ""},
        {"scopes": ["admin"], "name": "\0"},
        {"scopes": ["admin"], "expires_at": "tomorrow"},
        {"scopes": ["admin"], "expires": "2030-01-01T00:00:00Z"},
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(
    served: Served, body: dict[str, object]
) -> None:
    answer = await served.client.post("/v1/keys", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    assert (await served.client.get("/v1/keys")).json()["items"] == []


async def test_a_revoked_key_stays_listed_with_the_time(served: Served) -> None:
    made = (await served.client.post("/v1/keys", json={"scopes": ["admin"]})).json()
    assert (await served.client.delete(f"/v1/keys/{made['id']}")).status_code == 204
    (document,) = (await served.client.get("/v1/keys")).json()["items"]
    assert document["revoked_at"] == rfc3339(NOW)


async def test_a_key_that_never_was_cannot_be_revoked(served: Served) -> None:
    for key_id in ("nokey", "%00", "%FF", "x" * 5_000):
        answer = await served.client.delete(f"/v1/keys/{key_id}")
        assert answer.status_code in {400, 404}, key_id


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
async def test_a_body_is_json_whatever_its_type_says(served: Served, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    body = b'{"refs": ["user_id:nobody"]}'
    answer = await served.client.post("/v1/customers/lookup", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
