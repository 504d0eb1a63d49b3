"""Customers of the demo whose stories are told in order, for people to look at.

Days count from the beginning of the history, which has ``DAYS`` of them.
"""

from collections.abc import Callable, Sequence
from typing import Final

from services.standalone.demo.assortment import PRODUCTS
from services.standalone.demo.life import Life
from services.standalone.demo.people import Person, named
from services.standalone.demo.shopping import (
    arrives,
    buys_in_store,
    logs_in,
    looks_at,
    orders,
    puts_in_cart,
    researches,
    returns,
    subscribes,
    visits,
)
from services.standalone.demo.talking import (
    HIGHEST_RATING,
    answers_survey,
    calls_for_help,
    calls_to_ask,
    complains,
    gets_mail,
    recommends,
    reviews,
)

DAYS: Final = 270
"""The length of the history: nine months."""

ANA: Final = "email:ana@demo.example"
"""Found the shop on her phone, bought on her laptop, returned it in a store, recommends it now."""
BEN: Final = "email:ben@demo.example"
"""Sent his only order back, was gone for more than half a year, and came back."""
CLARA: Final = "email:clara@demo.example"
DAVID: Final = "email:david@demo.example"
"""Clara and David share a phone; they stay two customers, and both show the conflict. Ben sent her,
and she sent him: the chain of referrals shows on each of the three."""


def tells_of_ana(life: Life) -> None:
    """All four channels, two devices, a complaint forgiven."""
    _finds_the_shop(life)
    _buys_on_the_laptop(life)
    life.go_to(172, 11)
    kept = buys_in_store(life)
    life.go_to(176, 16)
    returns(life, life.orders[0], in_store=True)
    life.go_to(178, 9)
    complains(life)
    life.go_to(215, 18)
    buys_in_store(life)
    life.go_to(222, 20)
    answers_survey(life, 10, order=kept)
    life.go_to(226, 20)
    reviews(life, HIGHEST_RATING, order=kept)
    life.go_to(233, 21)
    recommends(life)
    life.go_to(267, 17)
    buys_in_store(life)
    life.go_to(269, 20)
    visits(life, (2, 2))


def _finds_the_shop(life: Life) -> None:
    life.go_to(150, 8)
    arrives(life, "social")
    looks_at(life, PRODUCTS[0])
    life.go_to(152, 20)
    arrives(life, "search")
    subscribes(life)
    life.go_to(154, 7)
    gets_mail(life, "newsletter 11", opens=True, clicks=True)
    looks_at(life, PRODUCTS[1])
    researches(life)
    life.go_to(157, 10)
    calls_to_ask(life)


def _buys_on_the_laptop(life: Life) -> None:
    life.device = 1
    life.go_to(160, 21)
    arrives(life, "search")
    puts_in_cart(life)
    life.go_to(162, 9)
    gets_mail(life, "your cart", opens=True, clicks=True)
    life.go_to(163, 20)
    looks_at(life, PRODUCTS[1])
    orders(life)
    life.device = 0
    life.go_to(166, 12)
    logs_in(life)


def tells_of_ben(life: Life) -> None:
    """One order, sent back; churned; won back."""
    life.go_to(12, 19)
    arrives(life, "a friend")
    for product in PRODUCTS[4:7]:
        looks_at(life, product)
    life.go_to(15, 20)
    puts_in_cart(life)
    first = orders(life)
    life.go_to(25, 18)
    returns(life, first, in_store=False)
    life.go_to(240, 19)
    for product in PRODUCTS[5:8]:
        looks_at(life, product)
    life.go_to(255, 20)
    puts_in_cart(life)
    orders(life)


def tells_of_clara(life: Life) -> None:
    """The one whose number the contact center learned first."""
    life.go_to(100, 18)
    arrives(life, "a friend", sent_by=BEN)
    puts_in_cart(life)
    orders(life)
    life.go_to(104, 11)
    calls_for_help(life)
    life.go_to(140, 15)
    buys_in_store(life)


def tells_of_david(life: Life) -> None:
    """The one who calls from Clara's number."""
    life.go_to(130, 17)
    arrives(life, "a friend", sent_by=CLARA)
    puts_in_cart(life)
    orders(life)
    life.go_to(135, 12)
    calls_for_help(life)


STORIES: Final[Sequence[tuple[Person, Callable[[Life], None]]]] = (
    (named(0, "Ana"), tells_of_ana),
    (named(1, "Ben"), tells_of_ben),
    (named(2, "Clara"), tells_of_clara),
    (named(3, "David", phone_of=2), tells_of_david),
)
"""Who, and their story; theirs are the first numbers."""
