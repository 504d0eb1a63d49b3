"""A system that takes touchpoints in and remembers them, behind the routes that senders use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.touchpoints import JsonObject, JsonValue

MADE_AT: Final = "2026-06-15T13:30:00.123456Z"


@dataclass(slots=True)
class InMemorySystem:
    """What was sent, in order; ``troubles`` are answered, one each, instead of taking a batch in.

    ``pending`` lies in the log unclassified, and gets ``classified_per_look`` fewer at each look
    into the ledger.
    """

    sources: dict[str, JsonObject] = field(default_factory=dict)
    received: list[tuple[str, JsonObject]] = field(default_factory=list)
    batches: int = 0
    troubles: list[Response] = field(default_factory=list)
    breaks_after: int | None = None
    pending: int = 0
    classified_per_look: int = 0

    def app(self) -> Starlette:
        """Return the system as an ASGI application."""
        routes: tuple[tuple[str, str, Callable[[Request], object]], ...] = (
            ("POST", "/v1/sources", self._make_source),
            ("GET", "/v1/sources", self._list_sources),
            ("POST", "/v1/touchpoints", self._take_in),
            ("GET", "/v1/receipts/{source}/{event_id}", self._receipt),
            ("GET", "/v1/ledger", self._ledger),
        )
        return Starlette(routes=[Route(path, run, methods=[how]) for how, path, run in routes])

    async def _make_source(self, request: Request) -> Response:
        source = msgspec.json.decode(await request.body(), type=dict[str, JsonValue])
        if source["name"] in self.sources:
            return problem(409, "source_exists")
        self.sources[str(source["name"])] = source | {"created_at": MADE_AT}
        return _answer(201, source)

    async def _list_sources(self, _: Request) -> Response:
        return _answer(200, {"items": list(self.sources.values())})

    async def _take_in(self, request: Request) -> Response:
        if self.troubles:
            return self.troubles.pop(0)
        if self.breaks_after is not None and self.batches >= self.breaks_after:
            return problem(401, "unauthorized")
        items = msgspec.json.decode(await request.body(), type=list[dict[str, JsonValue]])
        source = request.query_params["source"]
        self.batches += 1
        self.received += [(source, item) for item in items]
        results = [{"index": index, "status": "accepted"} for index in range(len(items))]
        return _answer(202, {"accepted": len(items), "rejected": 0, "results": results})

    async def _receipt(self, request: Request) -> Response:
        wanted = request.path_params["source"], request.path_params["event_id"]
        if any((source, item["event_id"]) == wanted for source, item in self.received):
            return _answer(200, {"status": "stored"})
        return problem(404, "not_found")

    async def _ledger(self, _: Request) -> Response:
        total = {"log_end": len(self.received), "pending": self.pending}
        self.pending = max(0, self.pending - self.classified_per_look)
        return _answer(200, {"total": total})


def problem(status: int, code: str, **headers: str) -> Response:
    """Return a problem as an answer."""
    return _answer(status, {"code": code, "message": f"answered {code}"}, headers)


def _answer(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, "application/json")
