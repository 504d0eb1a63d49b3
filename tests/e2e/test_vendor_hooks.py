"""Webhooks of vendors into a running product: what they become, and what a refund takes back."""

from collections.abc import Callable
from typing import Final, NamedTuple

import httpx
import msgspec
import pytest

from shared.clock import wall_clock
from shared.sources import Vendor
from tests.fixtures.commands import Command
from tests.fixtures.deliveries import hook_for, signed
from tests.fixtures.hooks import Example, examples
from tests.fixtures.product import Product

EXAMPLES: Final = {(example.vendor, example.name): example for example in examples()}
AFTER_REFUND: Final = "2026-01-04T00:00:00Z"

Deliver = Callable[..., str]


class Bought(NamedTuple):
    """A sale and its refund, among the examples of a vendor."""

    vendor: Vendor
    sale: str
    refund: str
    customer: str


BOUGHT: Final = [
    Bought(Vendor.SHOPIFY, "till_sale", "refund", "shopify_customer_id:207119551"),
    Bought(Vendor.SQUARE, "till_sale", "refund", "square_customer_id:RDX9Z4"),
    Bought(Vendor.STRIPE, "terminal_sale", "terminal_refund", "stripe_customer_id:cus_9"),
]


@pytest.fixture(scope="module")
def hooked(shared_product: Product) -> Product:
    """A product whose sources may be delivered to by every vendor."""
    hooks = {
        vendor: {"secrets": hook.secrets, "url": hook.url, "topics": hook.topics}
        if vendor is Vendor.SES
        else {"secrets": hook.secrets, "url": hook.url}
        for vendor in Vendor
        for hook in [hook_for(vendor)]
    }
    settings = msgspec.json.encode({"hooks": hooks}).decode()
    for name in ("shopify-shop", "square-shop", "stripe-shop", "mail", "calls"):
        made = shared_product.run(
            "sources", "create", name, "--channel", "web", "--settings", settings
        )
        assert made.code == 0, made
    return shared_product


def somebody_s(vendor: Vendor, body: bytes) -> bytes:
    """Return *body* with a customer of this vendor's own in it."""
    number = b"+49301234%02d" % list(Vendor).index(vendor)
    body = body.replace(b"ana@", vendor.encode() + b"@").replace(b"u_42", b"u_" + vendor.encode())
    return body.replace(b"+4930123456", number)


@pytest.fixture
def deliver(hooked: Product) -> Deliver:
    """Deliver an example to a source, signed now, and wait until it is stored; return its id."""

    def deliver(vendor: Vendor, name: str, source: str) -> str:
        example: Example = EXAMPLES[vendor, name]
        body, headers = signed(vendor, somebody_s(vendor, example.body), at=wall_clock())
        answer = httpx.post(
            f"{hooked.url}/v1/hooks/{vendor}/{source}",
            content=body,
            headers={**headers, **example.file.headers},
        )
        assert answer.status_code == 200, answer.text
        touchpoint = msgspec.convert(example.file.becomes[0]["touchpoint"], dict[str, object])
        return str(touchpoint["event_id"])

    return deliver


def stage(hooked: Product, customer: str, at: str, waited_for: str) -> object:
    """Return where a customer stood, once a touchpoint is known."""
    with hooked.client() as client:
        answer = client.get(
            f"/v1/customers/{customer}/journey",
            params={"as_of": at, "wait_for": waited_for, "timeout": 30},
        )
    assert answer.status_code == 200, answer.text
    journey = answer.json()
    return journey["stage"] and journey["stage"]["key"]


@pytest.mark.parametrize("bought", BOUGHT, ids=lambda bought: bought.vendor.value)
def test_a_refund_takes_the_sale_back_from_the_journey(
    hooked: Product, deliver: Deliver, bought: Bought
) -> None:
    source = f"{bought.vendor}-shop"
    sold = deliver(bought.vendor, bought.sale, source)
    assert stage(hooked, bought.customer, AFTER_REFUND, f"{source}/{sold}") == "onboarding"
    returned = deliver(bought.vendor, bought.refund, source)
    assert stage(hooked, bought.customer, AFTER_REFUND, f"{source}/{returned}") == "decision"


def test_a_sale_that_is_told_of_twice_is_one(hooked: Product, deliver: Deliver) -> None:
    # The sale of the test above, whichever of the two comes first: told again, it changes nothing.
    first = deliver(Vendor.SQUARE, "till_sale", "square-shop")
    assert deliver(Vendor.SQUARE, "fees_of_a_sale", "square-shop") == first
    with hooked.client() as client:
        counted = client.get(
            "/v1/customers/square_customer_id:RDX9Z4/timeline",
            params={
                "type": "store_sale",
                "kinds": "touchpoint",
                "wait_for": f"square-shop/{first}",
            },
        )
    assert [item["event_id"] for item in counted.json()["items"]] == [first]


def test_pictures_that_a_machine_fetched_begin_no_journey_and_a_person_s_do(
    hooked: Product, deliver: Deliver
) -> None:
    customer = "email:sendgrid@example.com"
    opened = deliver(Vendor.SENDGRID, "machine_open", "mail")
    assert stage(hooked, customer, AFTER_REFUND, f"mail/{opened}") is None
    with hooked.client() as client:
        timeline = client.get(f"/v1/customers/{customer}/timeline").json()["items"]
    assert [item["type"] for item in timeline] == ["email_machine_opened"]
    deliver(Vendor.SENDGRID, "several_events", "mail")
    assert stage(hooked, customer, AFTER_REFUND, "mail/sg:WTJmMTYyNDUtMzQ2MA") == "awareness"


def test_a_doctored_delivery_is_refused_by_the_running_product(hooked: Product) -> None:
    example = EXAMPLES[Vendor.STRIPE, "online_sale"]
    body, headers = signed(Vendor.STRIPE, example.body, at=wall_clock())
    answer = httpx.post(
        f"{hooked.url}/v1/hooks/stripe/stripe-shop",
        content=body.replace(b"9950", b"9951"),
        headers=headers,
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


def test_what_vendors_delivered_verifies(hooked: Product, command: Command) -> None:
    assert command("verify", "--data", hooked.data).code == 0
