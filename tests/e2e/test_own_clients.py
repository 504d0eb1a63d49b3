"""The clients in docs/clients, as somebody who copies them runs them."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Final, cast

import pytest

from tests.fixtures.foreign_clients import chromium, shop
from tests.fixtures.processes import ROOT
from tests.fixtures.product import Product

CLIENTS: Final = ROOT / "docs" / "clients"

Send = Callable[[str, str, Sequence[dict[str, object]]], dict[str, object]]


def client_of_the_docs() -> Send:
    """Return ``send`` of the file that is shown."""
    spec = importlib.util.spec_from_file_location("client", CLIENTS / "client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Send", module.send)


def test_the_python_client_is_forty_lines_and_returns_the_verdict(
    shared_product: Product,
) -> None:
    assert len((CLIENTS / "client.py").read_text("utf-8").splitlines()) <= 42
    send = client_of_the_docs()
    key = shared_product.credentials.write_key
    verdict = send(
        shared_product.url,
        key,
        [{"type": "visit", "customer": {"user_id": "u_1"}}, {"type": "visit", "customer": {}}],
    )
    assert (verdict["accepted"], verdict["rejected"]) == (1, 1)
    none = send(shared_product.url, key, [{"type": "visit"}])
    assert none["accepted"] == 0
    with pytest.raises(ValueError, match="unknown_key"):
        send(shared_product.url, "wk_wrong", [{"type": "visit", "customer": {"user_id": "u_1"}}])


def test_the_snippet_posts_from_a_page_of_another_origin(
    shared_product: Product, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    script = (CLIENTS / "snippet.js").read_text("utf-8")
    script = script.replace("https://journeyline.example", shared_product.url)
    script = script.replace("wk_…", shared_product.credentials.write_key)
    (folder / "index.html").write_text(
        f'<meta charset="utf-8"><title>Shop</title><script>{script}</script>', "utf-8"
    )
    with chromium() as browser, shop(folder) as origin:
        page = browser.new_page()
        page.goto(f"{origin}/index.html")
        verdict = page.evaluate("track('product_viewed', {sku: 'A-1'}, {email: 'snip@x.example'})")
    assert verdict["accepted"] == 1, verdict
    shared_product.wait_until_stored(verdict["results"][0]["event_id"], "default")
    with shared_product.client() as client:
        found = client.get("/v1/customers/email:snip%40x.example").json()
    assert {entry["kind"] for entry in found["identifiers"]} == {"email", "anonymous_id"}
