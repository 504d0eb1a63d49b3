"""Shopify: orders, refunds, checkouts and customers of an online shop and its tills.

Source: Shopify's "Webhooks", topics, and the REST Admin API's Order and Refund. A refund names its
order and nobody else: the order's number is an identifier, so that both are one customer's.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.ingest.channels.contract import Delivery, Document, Ignored, Read
from services.ingest.channels.money import currency_code
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    event_id,
    own_ids,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.shopify import verify_shopify
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject, JsonValue

MOST_ITEMS: Final = 50

PRIVACY_REQUEST: Final = Ignored("privacy_request")
"""What apps must take from Shopify: somebody has to answer it with the commands for that."""

_POS: Final = "pos"
_OTHER_TOPICS: Final = (
    "carts/",
    "checkouts/",
    "collections/",
    "customers/",
    "draft_orders/",
    "fulfillments/",
    "inventory_",
    "orders/",
    "order_transactions/",
    "products/",
    "refunds/",
    "app/",
    "shop/",
)
_PRIVACY: Final = frozenset({"customers/data_request", "customers/redact", "shop/redact"})


def read_shopify(delivery: Delivery) -> Iterator[Read]:
    """Read a delivery of a shop.

    Raises:
        Unauthorized: It is none of Shopify's.
        Unreadable: It is not JSON.
    """
    verify_shopify(delivery, hook_of(delivery, Vendor.SHOPIFY))
    topic = delivery.headers.get(b"x-shopify-topic", b"").decode("latin-1")
    told = object_in(delivery.body)
    if topic in _PRIVACY:
        yield PRIVACY_REQUEST
    elif topic in _TOPICS:
        item = _TOPICS[topic](told)
        yield Document({**item, "event_id": _event_id(delivery, topic, told)}, delivery.body)
    else:
        yield NO_TOUCHPOINT if topic.startswith(_OTHER_TOPICS) else UNKNOWN_EVENT


def _event_id(delivery: Delivery, topic: str, told: Payload) -> str | None:
    own = delivery.headers.get(b"x-shopify-webhook-id", b"").decode("latin-1").strip()
    if own:
        return event_id("shp", own)
    at = told.text("updated_at") or told.text("created_at")
    return event_id("shp", topic, told.text("id"), at)


def _order(kind: str | None = None, time: str = "processed_at") -> Callable[[Payload], JsonObject]:
    """Return what makes a touchpoint of an order; without a *kind* it is the sale itself."""

    def read(order: Payload) -> JsonObject:
        in_store = order.text("source_name") == _POS
        return touchpoint(
            kind or ("store_sale" if in_store else "order_completed"),
            event_id=None,
            occurred_at=order.text(time) or order.text("created_at"),
            customer=_customer(order),
            channel=Channel.IN_STORE if in_store else Channel.WEB,
            properties={**_sold(order), "reason": order.text("cancel_reason")},
            context={"ip": order.text("browser_ip")},
        )

    return read


def _sold(order: Payload) -> JsonObject:
    lines = list(order.each("line_items"))
    return {
        "order_id": order.text("id"),
        "order_name": order.text("name"),
        "value": order.number("total_price"),
        "currency": currency_code(order.text("currency")),
        "amount_off": order.number("total_discounts") or None,
        "location_id": order.text("location_id"),
        "affiliation": order.text("source_name"),
        "status": order.text("financial_status"),
        "items": [_line(line) for line in lines[:MOST_ITEMS]] or None,
        "items_count": len(lines) or None,
    }


def _line(line: Payload) -> JsonValue:
    return {
        "product_id": line.text("product_id"),
        "sku": line.text("sku"),
        "name": line.text("title"),
        "quantity": line.number("quantity"),
        "price": line.number("price"),
    }


def _customer(order: Payload) -> JsonObject:
    """Return who ordered, and the order's own number, by which a refund finds them."""
    person = order.inner("customer")
    notes = {
        name: note.at("value")
        for note in order.each("note_attributes")
        if (name := note.text("name")) is not None
    }
    return {
        "shopify_order_id": order.text("id"),
        "shopify_customer_id": person.text("id"),
        "email": order.text("email") or order.text("contact_email") or person.text("email"),
        "phone": order.text("phone") or person.text("phone"),
        **own_ids(Payload(notes)),
    }


def _refund(refund: Payload) -> JsonObject:
    paid_back = list(refund.each("transactions"))
    amounts = [amount for one in paid_back if (amount := one.number("amount")) is not None]
    in_store = any(one.text("source_name") == _POS for one in paid_back)
    currencies = [one.text("currency") for one in paid_back]
    return touchpoint(
        "store_return" if in_store else "order_refunded",
        event_id=None,
        occurred_at=refund.text("processed_at") or refund.text("created_at"),
        customer={"shopify_order_id": refund.text("order_id")},
        channel=Channel.IN_STORE if in_store else Channel.WEB,
        properties={
            "order_id": refund.text("order_id"),
            "value": sum(amounts) if amounts else None,
            "currency": currency_code(currencies[0]) if currencies else None,
            "reason": refund.text("note"),
        },
    )


def _checkout(checkout: Payload) -> JsonObject:
    lines = list(checkout.each("line_items"))
    return touchpoint(
        "checkout_started",
        event_id=None,
        occurred_at=checkout.text("created_at"),
        customer={
            **_customer(checkout),
            "shopify_order_id": None,
            "shopify_checkout_id": checkout.text("token") or checkout.text("id"),
        },
        channel=Channel.WEB,
        properties={
            "value": checkout.number("total_price"),
            "currency": currency_code(checkout.text("currency")),
            "items": [_line(line) for line in lines[:MOST_ITEMS]] or None,
            "items_count": len(lines) or None,
        },
    )


def _account(customer: Payload) -> JsonObject:
    return touchpoint(
        "signed_up",
        event_id=None,
        occurred_at=customer.text("created_at"),
        customer={
            "shopify_customer_id": customer.text("id"),
            "email": customer.text("email"),
            "phone": customer.text("phone"),
        },
        channel=Channel.WEB,
        traits={"first_name": customer.text("first_name"), "last_name": customer.text("last_name")},
    )


_TOPICS: Final[Mapping[str, Callable[[Payload], JsonObject]]] = {
    "orders/create": _order(),
    "orders/paid": _order("payment_succeeded", time="updated_at"),
    "orders/fulfilled": _order("order_shipped", time="updated_at"),
    "orders/cancelled": _order("order_cancelled", time="cancelled_at"),
    "refunds/create": _refund,
    "checkouts/create": _checkout,
    "customers/create": _account,
}
