"""Square: payments at tills and online, their refunds, and customers.

Source: Square's "Payments and Refunds API Webhooks". A payment is told of several times while it
goes on, and afterwards for its fees: the sale is the payment that is completed, once. Square makes
an order of its own for each refund, so a sale and its refund share the payment's number, not the
order's.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.money import currency_code, major_units
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    event_id,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.square import verify_square
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

_POS: Final = "SQUARE_POS"
_AT_TILL: Final = frozenset({"EMV", "SWIPED", "CONTACTLESS"})
_OTHER_EVENTS: Final = (
    "booking.",
    "card.",
    "catalog.",
    "customer.",
    "dispute.",
    "gift_card",
    "inventory.",
    "invoice.",
    "location.",
    "loyalty.",
    "oauth.",
    "order.",
    "payment.",
    "payout.",
    "refund.",
    "subscription.",
    "team_member.",
    "terminal.",
)


def read_square(delivery: Delivery) -> Iterator[Read]:
    """Read an event notification.

    Raises:
        Unauthorized: It is none of Square's.
        Unreadable: It is not JSON.
    """
    verify_square(delivery, hook_of(delivery, Vendor.SQUARE))
    event = object_in(delivery.body)
    name = event.text("type") or ""
    if name not in _EVENTS:
        yield NO_TOUCHPOINT if name.startswith(_OTHER_EVENTS) else UNKNOWN_EVENT
        return
    item = _EVENTS[name](event)
    yield NO_TOUCHPOINT if item is None else Document(item, delivery.body)


def _payment(event: Payload) -> JsonObject | None:
    payment = event.inner("data", "object", "payment")
    status, in_store = payment.text("status"), _is_at_till(payment)
    if status == "COMPLETED":
        kind = "store_sale" if in_store else "order_completed"
    elif status == "FAILED":
        kind = "payment_failed"
    else:
        return None
    return touchpoint(
        kind,
        event_id=event_id("sq", payment.text("id"), status),
        occurred_at=payment.text("created_at") or event.text("created_at"),
        customer={
            "square_payment_id": payment.text("id"),
            "square_customer_id": payment.text("customer_id"),
            "email": payment.text("buyer_email_address"),
            "phone": payment.text("buyer_phone_number"),
        },
        channel=Channel.IN_STORE if in_store else Channel.WEB,
        properties={
            "order_id": payment.text("id"),
            "order_name": payment.text("reference_id"),
            "payment_id": payment.text("id"),
            "square_order_id": payment.text("order_id"),
            "location_id": payment.text("location_id"),
            **_money(payment),
            "error": _error(payment) if status == "FAILED" else None,
        },
    )


def _is_at_till(payment: Payload) -> bool:
    return (
        payment.text("application_details", "square_product") == _POS
        or payment.text("card_details", "entry_method") in _AT_TILL
        or payment.text("source_type") == "CASH"
    )


def _error(payment: Payload) -> str | None:
    for error in payment.each("card_details", "errors"):
        return error.text("code")
    return None


def _money(told: Payload) -> JsonObject:
    currency = told.text("amount_money", "currency")
    amount = told.number("amount_money", "amount")
    return {"value": major_units(amount, currency), "currency": currency_code(currency)}


def _refund(event: Payload) -> JsonObject | None:
    refund = event.inner("data", "object", "refund")
    if refund.text("status") != "COMPLETED":
        return None
    return touchpoint(
        "order_refunded",
        event_id=event_id("sq", refund.text("id"), "COMPLETED"),
        occurred_at=refund.text("updated_at") or event.text("created_at"),
        customer={"square_payment_id": refund.text("payment_id")},
        properties={
            "order_id": refund.text("payment_id"),
            "payment_id": refund.text("payment_id"),
            "square_order_id": refund.text("order_id"),
            "location_id": refund.text("location_id"),
            "reason": refund.text("reason"),
            **_money(refund),
        },
    )


def _customer(event: Payload) -> JsonObject:
    person = event.inner("data", "object", "customer")
    return touchpoint(
        "identify",
        event_id=event_id("sq", event.text("event_id")),
        occurred_at=event.text("created_at"),
        customer={
            "square_customer_id": person.text("id"),
            "user_id": person.text("reference_id"),
            "email": person.text("email_address"),
            "phone": person.text("phone_number"),
        },
        traits={
            "first_name": person.text("given_name"),
            "last_name": person.text("family_name"),
        },
    )


_EVENTS: Final[Mapping[str, Callable[[Payload], JsonObject | None]]] = {
    "payment.created": _payment,
    "payment.updated": _payment,
    "refund.created": _refund,
    "refund.updated": _refund,
    "customer.created": _customer,
    "customer.updated": _customer,
}
