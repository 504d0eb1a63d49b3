"""One person's life as it is written down: what is known of them, and their touchpoints so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple, TypeVar

from services.standalone.demo.chances import Chance, Span
from services.standalone.demo.people import Person
from shared.demo import CHANNELS, EMAIL, SERVICE, STORE, WEB
from shared.instants import DAY, HOUR, LATEST, MINUTE, SECOND, Instant, rfc3339
from shared.touchpoints import JsonObject

_T = TypeVar("_T")


class Entry(NamedTuple):
    """One touchpoint as its sender has it."""

    at: Instant
    source: str
    item: JsonObject
    """The native form of ``POST /v1/touchpoints``."""


class Order(NamedTuple):
    """A purchase; ``value`` in euros."""

    order_id: str
    value: float
    product: str


@dataclass(slots=True)
class Life:
    """A person going through time; touchpoints after ``ends_at`` have not happened yet.

    Attributes:
        person: Who.
        chance: Decides everything that could be otherwise.
        first_day: The midnight with which the history begins.
        ends_at: The end of the history.
        now: Where in time the person stands.
        entries: What happened, mostly but not strictly in order of time.
        device: Which device is in the person's hands.
        logged_in: Since when devices know the person.
        reachable: Whether the shop has the person's address.
        subscribed_at: Since when newsletters are sent.
        has_card: Whether the store knows the person.
        phone_known: Whether the contact center knows whose number it is.
        orders: What was bought.
    """

    person: Person
    chance: Random
    first_day: Instant
    ends_at: Instant
    now: Instant
    entries: list[Entry] = field(default_factory=list)
    device: int = 0
    logged_in: dict[int, Instant] = field(default_factory=dict)
    reachable: bool = False
    subscribed_at: Instant | None = None
    has_card: bool = False
    phone_known: bool = False
    orders: list[Order] = field(default_factory=list)
    _written: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the end of the history is reached."""
        return self.now > self.ends_at

    def happens(self, chance: Chance) -> bool:
        """Throw the dice once."""
        return self.chance.random() < chance

    def between(self, span: Span) -> int:
        """Return a number of *span*, all as likely."""
        return self.chance.randint(*span)

    def one_of(self, choices: Sequence[_T]) -> _T:
        """Return one of *choices*, all as likely."""
        return choices[self.chance.randrange(len(choices))]

    def wait_days(self, span: Span) -> None:
        """Go on to the daytime of a later day, or of this one."""
        earliest = self.now
        today = (self.now - self.first_day) // DAY
        self.go_to(today + self.between(span), self.between((9, 20)))
        self.now = max(self.now, earliest)

    def go_to(self, day: int, hour: int) -> None:
        """Go to a time within *hour* of a *day* of the history, counted from 0."""
        within = self.chance.randrange(60) * MINUTE + self.chance.randrange(60) * SECOND
        self.now = self.first_day + day * DAY + hour * HOUR + within

    def pause(self) -> None:
        """Let some seconds to minutes pass, as between two clicks."""
        self.now += self.chance.randrange(8, 240) * SECOND

    def on_web(
        self, kind: str, properties: JsonObject, context: JsonObject, *, text: str | None = None
    ) -> None:
        """Write down something on the site, by the person as the device in hand knows them."""
        customer: JsonObject = {"anonymous_id": self.person.device(self.device)}
        if self.logged_in.get(self.device, LATEST) <= self.now:
            customer["user_id"] = self.person.user_id
        members: JsonObject = {"properties": properties, "context": context, "text": text}
        self.write(WEB, kind, customer, **members)

    def by_mail(self, kind: str, properties: JsonObject, *, text: str | None = None) -> None:
        """Write down a mail and what the person did with it."""
        self.write(EMAIL, kind, {"email": self.person.email}, properties=properties, text=text)

    def by_phone(self, kind: str, properties: JsonObject, text: str) -> None:
        """Write down a call; the first one by somebody reachable tells whose number it is."""
        customer: JsonObject = {"phone": self.person.phone}
        if self.reachable and not self.phone_known:
            customer["email"] = self.person.email
            self.phone_known = True
        self.write(SERVICE, kind, customer, properties=properties, text=text)

    def at_till(self, kind: str, properties: JsonObject) -> None:
        """Write down something in a store, where the loyalty card says who it is."""
        customer: JsonObject = {"loyalty_id": self.person.loyalty_id}
        self.write(STORE, kind, customer, properties=properties)

    def write(self, source: str, kind: str, customer: JsonObject, **members: object) -> None:
        """Write down a touchpoint that happens now, unless the history ended before.

        Args:
            source: Who sends it.
            kind: The touchpoint's type.
            customer: Identifiers by kind.
            members: Further ones of the native form; empty ones are left out.
        """
        self._written += 1
        if self.is_over:
            return
        item: JsonObject = {
            "event_id": f"demo-{self.person.number:04d}-{self._written:04d}",
            "type": kind,
            "channel": CHANNELS[source].value,
            "occurred_at": rfc3339(self.now),
            "customer": customer,
            **{name: value for name, value in members.items() if value},
        }
        self.entries.append(Entry(self.now, source, item))
