"""Stripe: charges online and at terminals, refunds, disputes, checkouts, subscriptions, customers.

Source: Stripe's "Types of events". One payment is told of in several events; the sale is the charge
that succeeded. Periods of a subscription are charges too: those are told by their invoice.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.money import currency_code, major_units
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    at_seconds,
    attached,
    event_id,
    own_ids,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.stripe import verify_stripe
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

_AT_TERMINAL: Final = frozenset({"card_present", "interac_present"})


def read_stripe(delivery: Delivery) -> Iterator[Read]:
    """Read an event.

    Raises:
        Unauthorized: It is none of Stripe's.
        Unreadable: It is not JSON.
    """
    verify_stripe(delivery, hook_of(delivery, Vendor.STRIPE))
    event = object_in(delivery.body)
    name = event.text("type") or ""
    if name not in _EVENTS:
        yield NO_TOUCHPOINT if name.partition(".")[0] in _OBJECTS else UNKNOWN_EVENT
        return
    told = event.inner("data", "object")
    item = _EVENTS[name](told)
    if item is None:
        yield NO_TOUCHPOINT
        return
    identity: JsonObject = {"event_id": event_id("st", event.text("id"))}
    at = at_seconds(event.number("created"))
    yield Document({**item, **identity, "occurred_at": at}, delivery.body)


def _made(
    kind: str,
    told: Payload,
    customer: JsonObject,
    properties: JsonObject,
    traits: JsonObject | None = None,
) -> JsonObject:
    metadata = told.inner("metadata")
    return touchpoint(
        kind,
        event_id=None,
        occurred_at=None,
        customer={**customer, **own_ids(metadata)},
        channel=Channel.IN_STORE if _is_at_terminal(told) else Channel.WEB,
        properties={**properties, **attached(dict(metadata.items()))},
        traits=traits,
    )


def _is_at_terminal(told: Payload) -> bool:
    return told.text("payment_method_details", "type") in _AT_TERMINAL


def _payer(charge: Payload) -> JsonObject:
    return {
        "stripe_charge_id": charge.text("id"),
        "stripe_customer_id": _id_of(charge, "customer"),
        "email": charge.text("receipt_email") or charge.text("billing_details", "email"),
        "phone": charge.text("billing_details", "phone"),
    }


def _id_of(told: Payload, name: str) -> str | None:
    """Return the id of another object, which may be written out."""
    return told.text(name) or told.text(name, "id")


def _paid(charge: Payload, amount: str = "amount") -> JsonObject:
    currency = charge.text("currency")
    return {
        "order_id": _order_id(charge),
        "payment_id": charge.text("id"),
        "value": major_units(charge.number(amount), currency),
        "currency": currency_code(currency),
    }


def _order_id(charge: Payload) -> str | None:
    """Return what a sale and its refund share: the shop's own number, or that of the payment."""
    return (
        charge.text("metadata", "order_id") or _id_of(charge, "payment_intent") or charge.text("id")
    )


def _charge_succeeded(charge: Payload) -> JsonObject | None:
    if charge.at("invoice") is not None:
        return None
    kind = "store_sale" if _is_at_terminal(charge) else "order_completed"
    return _made(kind, charge, _payer(charge), _paid(charge))


def _charge_failed(charge: Payload) -> JsonObject:
    error = {"error": charge.text("failure_code")}
    return _made("payment_failed", charge, _payer(charge), {**_paid(charge), **error})


def _charge_refunded(charge: Payload) -> JsonObject:
    kind = "store_return" if _is_at_terminal(charge) else "order_refunded"
    if charge.at("refunded") is False:
        kind = "order_partially_refunded"
    return _made(kind, charge, _payer(charge), _paid(charge, "amount_refunded"))


def _disputed(dispute: Payload) -> JsonObject:
    charge = _id_of(dispute, "charge")
    properties = {
        **_paid(dispute),
        "order_id": _id_of(dispute, "payment_intent") or charge,
        "payment_id": charge,
        "reason": dispute.text("reason"),
    }
    return _made("payment_disputed", dispute, {"stripe_charge_id": charge}, properties)


def _checkout(kind: str) -> Callable[[Payload], JsonObject]:
    def read(session: Payload) -> JsonObject:
        person, currency = session.inner("customer_details"), session.text("currency")
        customer: JsonObject = {
            "stripe_customer_id": _id_of(session, "customer"),
            "stripe_checkout_id": session.text("id"),
            "user_id": session.text("client_reference_id"),
            "email": person.text("email") or session.text("customer_email"),
            "phone": person.text("phone"),
        }
        properties: JsonObject = {
            "order_id": session.text("metadata", "order_id") or _id_of(session, "payment_intent"),
            "payment_id": _id_of(session, "payment_intent"),
            "subscription_id": _id_of(session, "subscription"),
            "value": major_units(session.number("amount_total"), currency),
            "currency": currency_code(currency),
        }
        return _made(kind, session, customer, properties)

    return read


def _subscription(kind: str) -> Callable[[Payload], JsonObject]:
    def read(told: Payload) -> JsonObject:
        is_trial = kind == "subscription_started" and told.text("status") == "trialing"
        price = next(iter(told.each("items", "data")), Payload(None)).inner("price")
        properties: JsonObject = {
            "subscription_id": told.text("id"),
            "plan": price.text("nickname") or price.text("lookup_key") or price.text("id"),
            "value": major_units(price.number("unit_amount"), price.text("currency")),
            "currency": currency_code(price.text("currency")),
            "reason": told.text("cancellation_details", "reason"),
        }
        customer: JsonObject = {"stripe_customer_id": _id_of(told, "customer")}
        return _made("trial_started" if is_trial else kind, told, customer, properties)

    return read


def _invoice(kind: str) -> Callable[[Payload], JsonObject]:
    def read(invoice: Payload) -> JsonObject:
        is_first = kind == "invoice_paid" and invoice.text("billing_reason") != "subscription_cycle"
        amount = "amount_due" if kind == "payment_failed" else "amount_paid"
        currency = invoice.text("currency")
        properties: JsonObject = {
            "invoice_id": invoice.text("id"),
            "subscription_id": _id_of(invoice, "subscription")
            or invoice.text("parent", "subscription_details", "subscription"),
            "value": major_units(invoice.number(amount), currency),
            "currency": currency_code(currency),
        }
        customer: JsonObject = {
            "stripe_customer_id": _id_of(invoice, "customer"),
            "email": invoice.text("customer_email"),
            "phone": invoice.text("customer_phone"),
        }
        return _made("payment_succeeded" if is_first else kind, invoice, customer, properties)

    return read


def _person(person: Payload) -> JsonObject:
    customer: JsonObject = {
        "stripe_customer_id": person.text("id"),
        "email": person.text("email"),
        "phone": person.text("phone"),
    }
    return _made("identify", person, customer, {}, traits={"name": person.text("name")})


_EVENTS: Final[Mapping[str, Callable[[Payload], JsonObject | None]]] = {
    "charge.succeeded": _charge_succeeded,
    "charge.failed": _charge_failed,
    "charge.refunded": _charge_refunded,
    "charge.dispute.created": _disputed,
    "checkout.session.completed": _checkout("checkout_completed"),
    "checkout.session.expired": _checkout("checkout_abandoned"),
    "customer.created": _person,
    "customer.updated": _person,
    "customer.subscription.created": _subscription("subscription_started"),
    "customer.subscription.deleted": _subscription("subscription_cancelled"),
    "customer.subscription.resumed": _subscription("subscription_reactivated"),
    "invoice.paid": _invoice("invoice_paid"),
    "invoice.payment_failed": _invoice("payment_failed"),
}
_OBJECTS: Final = frozenset({name.partition(".")[0] for name in _EVENTS}) | frozenset(
    {
        "account",
        "balance",
        "billing_portal",
        "coupon",
        "credit_note",
        "file",
        "mandate",
        "payment_intent",
        "payment_link",
        "payment_method",
        "payout",
        "person",
        "plan",
        "price",
        "product",
        "promotion_code",
        "quote",
        "radar",
        "refund",
        "review",
        "setup_intent",
        "source",
        "subscription_schedule",
        "tax_rate",
        "terminal",
        "topup",
        "transfer",
    }
)
