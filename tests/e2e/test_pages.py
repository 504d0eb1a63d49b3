"""The pages that the product serves: they answer, and load nothing of anybody else."""

import re
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.fixtures.product import Product

_ATTRIBUTES: Final = ("src", "href", "action", "srcset", "poster", "data")
_STYLE_ADDRESS: Final = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class _Page(HTMLParser):
    """The addresses that a page names, and what stands inline in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        for name, value in attrs:
            if name in _ATTRIBUTES and value is not None:
                self.addresses.append(value)
                if tag != "a":
                    self.loaded.append(value)
            if name.startswith("on") or name == "style":
                self.inline.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        if self._within in {"script", "style"} and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_foreign_and_nothing_inline(
    shared_product: Product, path: str
) -> None:
    with httpx.Client(base_url=shared_product.url) as client:
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert (
            "unsafe" not in policy.replace("'unsafe-inline'", "") or "script-src 'self'" in policy
        )
        page = _Page(answer.text)
        assert page.inline == []
        for address in page.addresses:
            assert not urlsplit(address).netloc, f"{address} is foreign"
            assert client.get(address).is_success, address
        for address in page.loaded:
            _check_style(client, address)


def _check_style(client: httpx.Client, address: str) -> None:
    """Check that a style sheet names only files that this server has."""
    answer = client.get(address)
    if not answer.headers["content-type"].startswith("text/css"):
        return
    for quoted, imported in _STYLE_ADDRESS.findall(answer.text):
        named = quoted or imported
        if named.startswith("data:"):
            continue
        assert not urlsplit(named).netloc, f"{named} in {address} is foreign"
        assert client.get(urljoin(address, named)).is_success, named


def test_the_api_describes_itself(shared_product: Product) -> None:
    answer = httpx.get(f"{shared_product.url}/openapi.json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert {"/v1/touchpoints", "/v1/customers/{ref}/journey", "/v1/ledger"} <= set(
        document["paths"]
    )
    assert all(not server["url"].startswith("http") for server in document.get("servers", []))


def test_who_watches_over_it_needs_no_key(shared_product: Product) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/health"):
        assert httpx.get(f"{shared_product.url}{path}").status_code == 200, path
    metrics = httpx.get(f"{shared_product.url}/metrics").text
    assert shared_product.credentials.secret_key not in metrics


def test_what_is_not_there_is_a_problem_and_never_a_redirect(shared_product: Product) -> None:
    for path in (
        "/nothing",
        "/v1/ledger/",
        "/docs/",
        "//",
        "/docs/../../../etc/passwd",
        "/%2e%2e/x",
    ):
        answer = httpx.get(f"{shared_product.url}{path}", follow_redirects=False)
        assert answer.status_code in {200, 401, 404}, (path, answer.status_code)
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json"
