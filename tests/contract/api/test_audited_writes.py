"""Every write of the API is in the audit: a route that writes and is not walked here fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec

from services.classifier.publishing import Publisher
from shared.clock import wall_clock
from shared.journey.bundled import bundled_model
from shared.touchpoints import JsonObject
from tests.fixtures.classification import START, Refused, Sent
from tests.fixtures.classified_api import Classified
from tests.fixtures.receivers import Receiver, receiver

ANA, BEN, HER_MAIL = "user_id:ana", "user_id:ben", "email:ana@example.com"
EXEMPT: Final = {
    ("POST", "/v1/verify"): "compares, and changes nothing",
    ("POST", "/v1/customers/lookup"): "reads; the trail of reads has it",
}
POLICY: Final = {"format": 1, "kinds": [{"kind": "user_id", "unique": True}]}


@dataclass(slots=True)
class Walk:
    """Writes to an API, each of which must be found in its audit; ``done`` are their routes."""

    classified: Classified
    to: Receiver
    done: list[tuple[str, str]] = field(default_factory=list)

    async def act(
        self, method: str, route: str, body: object = None, /, **named: str
    ) -> JsonObject:
        """Ask for one write, and check that it was added to the audit, with who did it.

        What of *named* is not in the path of *route* goes into the query.
        """
        before = await self._entries()
        path = route.format(**named)
        query = {name: value for name, value in named.items() if f"{{{name}}}" not in route}
        content = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        answer = await self.classified.client.request(method, path, content=content, params=query)
        assert answer.is_success, (method, route, answer.text)
        added = (await self._entries())[len(before) :]
        assert added, f"{method} {route} is not in the audit"
        assert {row["actor"] for row in added} == {"key:test"}, (method, route)
        self.done.append((method, route))
        return dict(answer.json()) if answer.content else {}

    async def _entries(self) -> list[dict[str, object]]:
        return await self.classified.classifier.rows(
            "SELECT * FROM audit WHERE action <> 'data.read' ORDER BY id"
        )


async def access(walk: Walk) -> None:
    await walk.act("POST", "/v1/sources", {"name": "web", "channel": "web"})
    await walk.act("PATCH", "/v1/sources/{name}", {"channel": "email"}, name="web")
    made = await walk.act("POST", "/v1/keys", {"source": "web"})
    await walk.act("POST", "/v1/keys/{key_id}/rotate", key_id=str(made["id"]))
    await walk.act("DELETE", "/v1/keys/{key_id}", key_id=str(made["id"]))


async def models(walk: Walk) -> None:
    made = await walk.act("POST", "/v1/models", bundled_model("five-stage").encode())
    version = str(made["version"])
    await walk.act("POST", "/v1/models/{version}/activate", version=version, timeout="0")
    young = {"match": {"where": {"traits.age": {"lt": 30}}}}
    await walk.act("PUT", "/v1/personas/{key}", young, key="young")
    await walk.act("DELETE", "/v1/personas/{key}", key="young")
    await _roll_out(walk)
    other = bundled_model("default").split("\nexamples:")[0].replace("P45D", "P10D")
    made = await walk.act("POST", "/v1/models", other.encode())
    version = str(made["version"])
    await walk.act("POST", "/v1/models/{version}/shadow", version=version, timeout="0")
    await walk.act("DELETE", "/v1/models/{version}/shadow", version=version)
    for rollback in ("/v1/models/rollback", "/v1/models/{name}/rollback"):
        version = str(made["version"])
        await walk.act("POST", "/v1/models/{version}/activate", version=version, timeout="0")
        await _roll_out(walk)
        named = {"name": version} if "{" in rollback else {}
        await walk.act("POST", rollback, timeout="0", **named)
        await _roll_out(walk)


async def _roll_out(walk: Walk) -> None:
    """Carry everything that was asked for to its end, as a classifier does."""
    while await walk.classified.classifier.rollouts.step():
        pass


async def identity(walk: Walk) -> None:
    await walk.classified.feed(Sent("l1", (ANA, "anonymous_id:a")), Sent("l2", (HER_MAIL,)))
    made = await walk.act("POST", "/v1/links", {"a": ANA, "b": HER_MAIL, "reason": "said so"})
    await walk.act("POST", "/v1/links/{link_id}/unlink", link_id=str(made["id"]))
    await walk.act("POST", "/v1/links/{link_id}/relink", link_id=str(made["id"]))
    taken = {"identifier": HER_MAIL, "reason": "said not"}
    await walk.act("POST", "/v1/customers/{ref}/unlink", taken, ref=ANA)
    again = {"identifier": "anonymous_id:a", "reason": "a shared screen"}
    await walk.act("POST", "/v1/customers/lookup/unlink", again, ref=ANA)
    await walk.act("PUT", "/v1/policy", POLICY)


async def quarantine(walk: Walk) -> None:
    raw = msgspec.json.encode({"event_id": "q", "customer": {"user_id": "q"}})
    await walk.classified.feed(*(Refused(UUID(int=number), raw=raw) for number in (1, 2, 3)))
    route, patch = "/v1/quarantine/{quarantine_id}", {"patch": {"type": "page_viewed"}}
    await walk.act("POST", f"{route}/redrive", patch, quarantine_id=str(UUID(int=1)))
    await walk.act("POST", f"{route}/discard", {"reason": "a test"}, quarantine_id=str(UUID(int=2)))
    await walk.act("POST", "/v1/quarantine/redrive", {"filter": {}, **patch})


async def webhooks(walk: Walk) -> None:
    made = await walk.act("POST", "/v1/webhooks", {"url": f"{walk.to.url}/canary-path"})
    id_ = str(made["id"])
    await walk.act("POST", "/v1/webhooks/{webhook_id}/test", webhook_id=id_)
    await walk.act("POST", "/v1/webhooks/{webhook_id}/rotate", webhook_id=id_)
    elsewhere = {"url": f"{walk.to.url}/canary-path?2", "max_age": 60}
    await walk.act("PATCH", "/v1/webhooks/{webhook_id}", elsewhere, webhook_id=id_)
    await walk.classified.feed(Sent("w", (BEN,), at=START, type="order_completed"))
    classifier = walk.classified.classifier
    await Publisher(classifier.engine, wall_clock).publish()
    await classifier.execute(
        "INSERT INTO deliveries (webhook_id, seq, message_id, type, due_at, created_at)"
        " SELECT $1, seq, 'm', type, now(), now() FROM outbox WHERE seq IS NOT NULL LIMIT 1",
        UUID(id_),
    )
    [row] = await classifier.rows("SELECT id FROM deliveries WHERE message_id = 'm'")
    again = "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"
    await walk.act("POST", again, webhook_id=id_, delivery_id=str(row["id"]))
    await walk.act("DELETE", "/v1/webhooks/{webhook_id}", webhook_id=id_)


async def removal(walk: Walk) -> None:
    done = await walk.act("DELETE", "/v1/customers/{ref}", ref=ANA)
    certificate = msgspec.convert(done["certificate"], dict[str, object])
    await walk.act(
        "POST", "/v1/erasures/{certificate_id}/lift", certificate_id=str(certificate["id"])
    )
    await walk.act("DELETE", "/v1/customers/lookup", ref=BEN)
    await walk.act("DELETE", "/v1/demo")


STEPS: Final[tuple[Callable[[Walk], Awaitable[None]], ...]] = (
    access,
    models,
    identity,
    quarantine,
    webhooks,
    removal,
)


async def test_every_route_that_writes_leaves_an_entry_in_the_audit(
    classified: Classified,
) -> None:
    async with receiver() as to:
        walk = Walk(classified, to)
        for step in STEPS:
            await step(walk)
    described = classified.app.openapi()["paths"]
    writes = {
        (method.upper(), path)
        for path, operation in described.items()
        for method in operation
        if method not in {"get", "head"}
    }
    assert set(walk.done) | EXEMPT.keys() == writes
    rows = await classified.classifier.rows("SELECT * FROM audit")
    for trace in ("example.com", "canary-path", ":ana"):
        assert trace not in str(rows)
