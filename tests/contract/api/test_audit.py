"""The audit over HTTP: what keys do and read, without a name and without a secret."""

import asyncio

import pytest

from services.api.read_trail import ReadTrail
from shared.identity.identifiers import identifier_id
from shared.touchpoints import JsonObject
from tests.fixtures.served_api import NOW, START, Served, client_of
from tests.fixtures.told import Told, identifier


async def entries(served: Served, **asked: str) -> list[JsonObject]:
    answer = await served.client.get("/v1/audit", params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def trail_of(served: Served) -> ReadTrail:
    trail: ReadTrail = served.app.state.resources.background.trail
    return trail


async def test_every_write_is_in_the_audit_without_its_secrets(served: Served) -> None:
    settings = {"hooks": {"stripe": {"secrets": ["whsec_canary"]}}}
    body = {"name": "shop", "channel": "web", "settings": settings}
    assert (await served.client.post("/v1/sources", json=body)).status_code == 201
    await served.client.patch("/v1/sources/shop", json={"settings": {"types": ["a"]}})
    made = (await served.client.post("/v1/keys", json={"source": "shop"})).json()
    rotated = (await served.client.post(f"/v1/keys/{made['id']}/rotate")).json()
    await served.client.delete(f"/v1/keys/{rotated['id']}")
    found = await entries(served)
    assert [(one["action"], one["subject"]) for one in reversed(found)] == [
        ("source.made", "source:shop"),
        ("source.changed", "source:shop"),
        ("key.made", f"key:{made['id']}"),
        ("key.rotated", f"key:{rotated['id']}"),
        ("key.revoked", f"key:{rotated['id']}"),
    ]
    assert {one["actor"] for one in found} == {"key:test"}
    for secret in ("canary", made["key"], rotated["key"]):
        assert secret not in str(found)


async def test_reads_by_secret_keys_are_summed_up_by_route_and_customer(served: Served) -> None:
    await served.histories.store(Told(event_id="e", at=START), recorded_at=START)
    for _ in range(3):
        await served.client.get("/v1/customers/user_id:u_1/timeline")
    await served.client.get("/v1/stages")
    trail = trail_of(served)
    await asyncio.gather(trail.write(), trail.write())
    found = {
        str(one["subject"]): one["details"] for one in await entries(served, action="data.read")
    }
    assert found == {
        "route:/v1/customers/{ref}/timeline": {
            "requests": 3,
            "customers": [str(identifier_id(identifier("user_id:u_1")))],
        },
        "route:/v1/stages": {"requests": 1},
    }


async def test_what_was_read_last_is_written_when_the_trail_ends(served: Served) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(trail_of(served).run(stopping))
    await served.client.get("/v1/stages")
    stopping.set()
    await running
    assert len(await entries(served, action="data.read")) == 1


async def test_pages_and_filters_show_all_of_it(served: Served) -> None:
    for number in range(7):
        await served.client.post("/v1/sources", json={"name": f"s{number}", "channel": "web"})
    whole = await entries(served, action="source.made")
    read: list[JsonObject] = []
    answer = await served.client.get("/v1/audit", params={"limit": 3, "action": "source.made"})
    read += answer.json()["items"]
    while "next" in answer.links:
        answer = await served.client.get(answer.links["next"]["url"])
        read += answer.json()["items"]
    assert read == whole
    assert len(whole) == 7
    assert len(await entries(served, subject="source:s3")) == 1
    assert await entries(served, actor="key:else") == []


async def test_a_verification_tells_how_much_hangs_together_and_what_does_not(
    served: Served,
) -> None:
    empty = (await served.client.get("/v1/audit/verification")).json()
    assert empty == {"entries": 0, "head": None, "intact": True, "broken": []}
    for name in ("a", "b", "c"):
        await served.client.post("/v1/sources", json={"name": name, "channel": "web"})
    whole = (await served.client.get("/v1/audit/verification")).json()
    assert (whole["entries"], whole["intact"], len(whole["head"])) == (3, True, 64)
    connection = served.histories.connection
    await connection.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    await connection.execute("UPDATE audit SET actor = 'key:else' WHERE subject = 'source:b'")
    broken = (await served.client.get("/v1/audit/verification")).json()
    assert (broken["intact"], broken["broken"]) == (False, [2])


async def test_a_rotated_key_has_the_same_rights_and_the_old_one_ends(served: Served) -> None:
    made = (
        await served.client.post("/v1/keys", json={"scopes": ["customers:read"], "name": "crm"})
    ).json()
    answer = await served.client.post(f"/v1/keys/{made['id']}/rotate", json={"overlap_hours": 1})
    assert answer.status_code == 201
    listed = {one["id"]: one for one in (await served.client.get("/v1/keys")).json()["items"]}
    new, old = listed[answer.json()["id"]], listed[made["id"]]
    assert (new["scopes"], new["name"], new["expires_at"]) == (["customers:read"], "crm", None)
    assert old["expires_at"] == answer.json()["replaces"]["expires_at"]
    served.clock.now = NOW + 3_600 * 1_000_000
    again = await served.client.post(f"/v1/keys/{made['id']}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "key_not_in_force")


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/verification"])
async def test_only_admins_see_the_audit(served: Served, path: str) -> None:
    for key, status in (("sk_admin", 200), ("sk_customers:read", 403), ("wk_web", 403)):
        async with client_of(served.app, key) as client:
            assert (await client.get(path)).status_code == status


async def test_entries_that_are_written_at_once_follow_from_each_other(served: Served) -> None:
    trail = trail_of(served)

    async def read_and_write() -> None:
        for path in ("/v1/stages", "/v1/ledger", "/v1/customers", "/v1/audit"):
            await served.client.get(path)
        await trail.write()

    async def make_key(name: str) -> None:
        body = {"kind": "secret", "scopes": ["customers:read"], "name": name}
        assert (await served.client.post("/v1/keys", json=body)).status_code == 201

    for _ in range(3):
        keys = (make_key(str(number)) for number in range(8))
        await asyncio.gather(read_and_write(), *keys, read_and_write())
    found = (await served.client.get("/v1/audit/verification")).json()
    assert found["entries"] > 24, found
    assert found["intact"], found
