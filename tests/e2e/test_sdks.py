"""SDKs that people already have, run against the real product; docs/channels.md is checked here.

Each cell of the matrix there is what a test measured. A cell that is not what the matrix says
fails its test, also if it is better.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from typing import Final

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from tests.fixtures.foreign_clients import (
    BROWSER,
    NODE,
    PATIENCE_SECONDS,
    PYTHON,
    Message,
    Sending,
    chromium,
    page_with,
)
from tests.fixtures.processes import ROOT, within
from tests.fixtures.product import Product

MATRIX: Final = ROOT / "docs" / "channels.md"
BATCH: Final = 250
VISIT: Final = 80
"""RudderStack's SDK keeps a hundred at most, and drops what is more."""
THROTTLED: Final = 60
SLOW: Final = {"rate_limit": {"per_second": 10, "burst": 10}}
BEGIN: Final = "([sdk, url, key]) => begin(sdk, url, key)"
MANY: Final = 120
GAP: Final = 200
"""Milliseconds between two of the MANY."""

_numbers = count(1)


class Sender:
    """A source that nothing else sends to, and its write key."""

    def __init__(self, product: Product, settings: Mapping[str, object] | None = None) -> None:
        self.product = product
        self.name = f"sdk-{next(_numbers)}"
        with product.client() as client:
            source = {"name": self.name, "channel": "web", "settings": settings or {}}
            assert client.post("/v1/sources", json=source).status_code == 201
            answer = client.post("/v1/keys", json={"source": self.name, "name": self.name})
        assert answer.status_code == 201, answer.text
        self.key: str = answer.json()["key"]

    def stored(self) -> int:
        """Return how many different touchpoints of this source are stored."""
        with self.product.client() as client:
            sources = client.get("/v1/ledger").json()["sources"]
        return sum(row["stored"] for row in sources if row["source"] == self.name)

    def wait_for(self, number: int) -> None:
        """Return once *number* touchpoints are stored."""
        within(
            PATIENCE_SECONDS,
            lambda: self.stored() >= number,
            lambda: f"{self.name}: {self.stored()} of {number}",
        )

    def customer(self, ref: str) -> set[str]:
        """Return the identifiers of a customer, as ``kind:value``."""
        with self.product.client() as client:
            found = client.get("/v1/customers/lookup", params={"ref": ref}).json()
        return {f"{entry['kind']}:{entry['value']}" for entry in found.get("identifiers", [])}

    def events(self, ref: str) -> list[str]:
        """Return the types of a customer's touchpoints, the oldest first."""
        params = {"ref": ref, "limit": "500", "kinds": "touchpoint", "order": "asc"}
        with self.product.client() as client:
            found = client.get("/v1/customers/lookup/timeline", params=params).json()
        return [item["type"] for item in found.get("items", [])]


def documented(sdk: str) -> dict[str, str]:
    """Return what the matrix says of *sdk*, by column."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")]
        for line in MATRIX.read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    header = next(row for row in rows if row[:2] == ["SDK", "single"])
    (row,) = (row for row in rows if row[0].startswith(f"`{sdk}` "))
    return dict(zip(header, row, strict=True))


def steps(number: int, *, gap: int = 0, **who: str) -> list[Message]:
    """Return messages that can be told apart, *gap* milliseconds after each other."""
    return [
        {"call": "track", "event": "Step", "properties": {"number": n}, "gap": gap, **who}
        for n in range(number)
    ]


SERVER_CALLS: Final[Sequence[Message]] = (
    {"call": "track", "userId": "single", "event": "Order Completed", "properties": {"value": 5}},
    {"call": "track", "anonymousId": "visitor", "event": "Browsed"},
    {
        "call": "identify",
        "userId": "known",
        "anonymousId": "visitor",
        "traits": {"email": "Ana@Example.com"},
    },
    {"call": "track", "anonymousId": "former", "event": "Browsed"},
    {"call": "alias", "userId": "new", "previousId": "former"},
)
PAGE_CALLS: Final[Sequence[Message]] = (
    {"call": "page", "name": "Pricing"},
    {"call": "track", "event": "Order Completed", "properties": {"value": 5}},
    {"call": "identify", "userId": "known", "traits": {"email": "Ana@Example.com"}},
    {"call": "alias", "userId": "new"},
)


def named(messages: Sequence[Message], sender: Sender) -> list[Message]:
    """Return *messages* of people whom no other test knows."""
    text = msgspec.json.encode(messages).decode()
    for name in ("single", "visitor", "known", "former", "new", "many"):
        text = text.replace(f'"{name}"', f'"{sender.name}-{name}"')
    text = text.replace("Ana@Example.com", f"{sender.name}@Example.com")
    return msgspec.json.decode(text, type=list[Message])


@pytest.mark.parametrize("sdk", [*PYTHON, *NODE])
def test_what_a_server_s_sdk_sends_is_stored_and_links(shared_product: Product, sdk: str) -> None:
    sender = Sender(shared_product)
    calls = [*named([*SERVER_CALLS, *steps(BATCH, userId="many")], sender)]
    Sending.begin(sdk, shared_product.url, sender.key, calls).end()
    sender.wait_for(len(calls))
    me = sender.name
    measured = {
        "single": f"{len(sender.events(f'user_id:{me}-single'))} of 1",
        "batch": f"{len(sender.events(f'user_id:{me}-many'))} of {BATCH}",
        "identify": "links"
        if sender.customer(f"anonymous_id:{me}-visitor")
        == {f"anonymous_id:{me}-visitor", f"user_id:{me}-known", f"email:{me}@example.com"}
        else "does not link",
        "alias": "links"
        if sender.customer(f"anonymous_id:{me}-former")
        == {f"anonymous_id:{me}-former", f"user_id:{me}-new"}
        else "does not link",
    }
    assert sender.stored() == len(calls)
    told = documented(sdk)
    assert measured == {name: told[name] for name in measured}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("sdk", BROWSER)
def test_what_a_page_of_another_origin_sends_is_stored_and_links(
    browser: Browser, shared_product: Product, sdk: str
) -> None:
    sender = Sender(shared_product)
    calls = [*named(PAGE_CALLS, sender), *steps(VISIT)]
    me = sender.name
    with page_with(browser, sdk) as page:
        visitor = page.evaluate(BEGIN, [sdk, shared_product.url, sender.key])
        page.evaluate("([all, gap]) => sendSlowly(all, gap)", [calls, 20])
        sender.wait_for(len(calls))
    assert sender.stored() == len(calls)
    events = sender.events(f"anonymous_id:{visitor}")
    known = sender.customer(f"anonymous_id:{visitor}")
    measured = {
        "single": f"{events.count('Order Completed')} of 1",
        "batch": f"{events.count('Step')} of {VISIT}",
        "identify": "links"
        if {f"anonymous_id:{visitor}", f"user_id:{me}-known"} <= known
        else "does not link",
        "alias": "links" if sender.customer(f"user_id:{me}-new") else "no-op",
    }
    told = documented(sdk)
    assert measured == {name: told[name] for name in measured}


@pytest.mark.parametrize("sdk", [*PYTHON, *NODE])
def test_a_source_over_its_rate_loses_nothing_of_a_server_s_sdk(
    shared_product: Product, sdk: str
) -> None:
    sender = Sender(shared_product, SLOW)
    calls = named(steps(THROTTLED, gap=10, userId="many"), sender)
    before = throttled(shared_product)
    Sending.begin(sdk, shared_product.url, sender.key, calls).end()
    sender.wait_for(len(calls))
    assert throttled(shared_product) > before, "it was never over its rate"
    assert f"{sender.stored()} of {THROTTLED}" == documented(sdk)["429"]


@pytest.mark.parametrize("sdk", BROWSER)
def test_a_source_over_its_rate_loses_nothing_of_a_page(
    browser: Browser, shared_product: Product, sdk: str
) -> None:
    sender = Sender(shared_product, SLOW)
    before = throttled(shared_product)
    with page_with(browser, sdk) as page:
        visitor = page.evaluate(BEGIN, [sdk, shared_product.url, sender.key])
        page.evaluate("([all, gap]) => sendSlowly(all, gap)", [steps(THROTTLED), 40])
        stay_until_stored(page, sender, visitor, THROTTLED)
    assert throttled(shared_product) > before, "it was never over its rate"
    measured = sender.events(f"anonymous_id:{visitor}").count("Step")
    assert f"{measured} of {THROTTLED}" == documented(sdk)["429"]


def throttled(product: Product) -> float:
    """Return how many items were turned away so far because a source sent too many."""
    with product.client() as client:
        text = client.get("/metrics").text
    found = re.search(r'ingest_events_total\{[^}]*result="throttled"[^}]*\} (\S+)', text)
    return float(found[1]) if found else 0.0


@pytest.mark.timeout(600)
def test_a_kill_in_the_middle_loses_nothing_of_any_sdk(browser: Browser, product: Product) -> None:
    senders = {sdk: Sender(product) for sdk in (*PYTHON, *NODE, *BROWSER)}
    port = product.url.rpartition(":")[2]
    with ExitStack() as stack:
        pages = {sdk: stack.enter_context(page_with(browser, sdk)) for sdk in BROWSER}
        visitors = {
            sdk: page.evaluate(BEGIN, [sdk, product.url, senders[sdk].key])
            for sdk, page in pages.items()
        }
        sending = [
            Sending.begin(sdk, product.url, senders[sdk].key, messages)
            for sdk in (*PYTHON, *NODE)
            for messages in [named(steps(MANY, gap=GAP, userId="many"), senders[sdk])]
        ]
        for sdk in (*PYTHON, *NODE):
            senders[sdk].wait_for(1)
        for page in pages.values():
            page.evaluate("([all, gap]) => sendSlowly(all, gap)", [steps(MANY), GAP])
        for sdk in BROWSER:
            senders[sdk].wait_for(1)
        before = {sdk: sender.stored() for sdk, sender in senders.items()}
        product.kill()
        product.start("--port", port)
        for one in sending:
            one.end()
        for sdk, page in pages.items():
            stay_until_stored(page, senders[sdk], visitors[sdk], MANY)
    assert all(number < MANY for number in before.values()), f"all was sent before: {before}"
    refs = {sdk: f"user_id:{sender.name}-many" for sdk, sender in senders.items()}
    refs.update({sdk: f"anonymous_id:{visitor}" for sdk, visitor in visitors.items()})
    measured = {
        sdk: f"{sender.events(refs[sdk]).count('Step')} of {MANY}"
        for sdk, sender in senders.items()
    }
    assert measured == {sdk: documented(sdk)["restart"] for sdk in senders}


def stay_until_stored(page: Page, sender: Sender, visitor: str, number: int) -> None:
    """Let a page stay open until *number* steps of its visitor are stored."""
    ref = f"anonymous_id:{visitor}"
    for _ in range(PATIENCE_SECONDS):
        if sender.events(ref).count("Step") >= number:
            return
        page.wait_for_timeout(1_000)
