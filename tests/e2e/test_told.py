"""The real product tells a CRM system: by webhook, by stream, and in order when it stops."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import standardwebhooks

from tests.fixtures.commands import Command
from tests.fixtures.processes import Ran, within
from tests.fixtures.product import Product, copied, product_at

ITEM = {
    "event_id": "e1",
    "type": "order_completed",
    "channel": "web",
    "customer": {"user_id": "u_1"},
    "properties": {"order_id": "1"},
}


class Hook(BaseHTTPRequestHandler):
    """Takes what comes and remembers it."""

    received: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hook() -> Generator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    received: list[tuple[dict[str, str], bytes]] = []
    handler = type("Remembering", (Hook,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", received
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def open_product(tmp_path: Path, used_folder: Path) -> Generator[Product]:
    """A product that may send webhooks to this machine."""
    allowed = ("env", "API_WEBHOOK_ALLOW_PRIVATE=1")
    with product_at(copied(used_folder, tmp_path / "data"), prefix=allowed) as product:
        product.start()
        yield product


def test_a_purchase_is_told_by_webhook_and_by_stream(open_product: Product) -> None:
    with hook() as (url, received), open_product.client() as client:
        made = client.post("/v1/webhooks", json={"url": url, "events": ["journey.transition"]})
        assert made.status_code == 201, made.text
        with client.stream("GET", "/v1/stream?start=latest") as stream:
            lines = stream.iter_lines()
            open_product.post(ITEM)
            data = next(line for line in lines if line.startswith("data: "))
            assert '"customer_id"' in data
            within(30, lambda: len(received) >= 2, lambda: f"received {received}")
            open_product.stop()
            assert not [line for line in lines if line.startswith("event: error")]
    verifier = standardwebhooks.Webhook(made.json()["secret"])
    payloads = [verifier.verify(body, headers) for headers, body in received]
    assert {payload["type"] for payload in payloads} == {"journey.transition"}
    moves = {(payload["data"]["axis"], payload["data"]["to"]) for payload in payloads}
    assert {("activity", "active"), ("stage", "onboarding")} <= moves


def test_an_endpoint_is_looked_after_by_command(open_product: Product, command: Command) -> None:
    def ask(*arguments: str) -> Ran:
        return command("webhooks", *arguments, "--data", open_product.data)

    with hook() as (url, received):
        made = ask("create", url, "--event", "journey.transition", "--max-age", "PT1H")
        assert made.code == 0, made
        id_, secret = (line.split()[1] for line in made.out.splitlines())
        assert secret.startswith("whsec_")
        assert ask("test", id_).out == "the message was taken: 204\n"
        listed = ask("list").out
        assert all(part in listed for part in (id_, url, "journey.transition", "3600 s", "active"))
        assert secret not in listed
        open_product.post(ITEM)
        within(30, lambda: len(received) >= 3, lambda: f"received {received}")
        shown = ask("deliveries", id_, "--limit", "2").out
        assert "delivered" in shown
        assert "there are more than these 2" in shown
        number = next(word for word in shown.split() if word.isdigit())
        assert ask("redeliver", id_, number).code == 0
        within(30, lambda: len(received) >= 4, lambda: f"received {received}")
        changed = ask("update", id_, "--status", "disabled", "--max-age", "60")
        assert changed.out == f"webhook {id_} is changed, and disabled\n"
        assert "disabled by hand" in ask("list").out
        assert ask("redeliver", id_, number).code == 1
        assert ask("update", id_, "--status", "active").code == 0
        assert ask("rotate", id_).out.split()[1] not in {"", secret}
    refused = ask("test", id_)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("journeyline: the message was not taken: ")
    assert ask("update", id_).code == 2
    assert ask("delete", id_).code == 0
    gone = ask("deliveries", id_)
    assert (gone.code, gone.err) == (1, "journeyline: no webhook has that id\n")


def test_private_addresses_are_refused_unless_it_is_allowed(shared_product: Product) -> None:
    with shared_product.client() as client:
        for url in ("http://example.com/hook", "https://127.0.0.1/hook", "https://localhost/h"):
            answer = client.post("/v1/webhooks", json={"url": url})
            assert (answer.status_code, answer.json()["code"]) == (422, "url_refused")
