"""The people of the demo: nobody real, and told from real ones at a glance.

Addresses end in ``.example``, which RFC 2606 keeps free. Phone numbers come from the ranges that
the German regulator keeps for film and print (Bundesnetzagentur, Mitteilung 148/2021).
"""

from dataclasses import dataclass
from typing import Final

MOST_PEOPLE: Final = 5_000
"""As many as there are phone numbers."""

_NAMES: Final = (
    *("Ada", "Bruno", "Carla", "Deniz", "Elif", "Finn", "Greta", "Hugo", "Ida", "Jonas", "Kira"),
    *("Leo", "Mia", "Nils", "Olga", "Paul", "Quirin", "Rosa", "Samir", "Tilda", "Udo", "Vera"),
    *("Wim", "Xenia", "Yara", "Zeno", "Amira", "Boris", "Cem", "Dora", "Emil", "Frida", "Gero"),
)
_CITIES: Final = ("Berlin", "Hamburg", "Frankfurt", "Cologne", "Munich")
_PHONE_RANGES: Final = ("+493023125", "+494066969", "+496990009", "+492214710", "+498999998")
_FAMILIES: Final = 40
"""One in so many people shares the phone of the one before."""


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person; ``number`` makes every identifier."""

    number: int
    name: str
    email: str
    city: str
    phone: str

    @property
    def user_id(self) -> str:
        return f"demo-u-{self.number:04d}"

    @property
    def loyalty_id(self) -> str:
        return f"demo-l-{self.number:04d}"

    def device(self, which: int) -> str:
        """Return the anonymous id of the person's phone (0), laptop (1), and so on."""
        return f"demo-d-{self.number:04d}-{which}"


def person(number: int) -> Person:
    """Return the person with that number, below ``MOST_PEOPLE``."""
    name = _NAMES[number % len(_NAMES)]
    shares_phone = number % _FAMILIES == _FAMILIES - 1
    return Person(
        number=number,
        name=name,
        email=f"{name.lower()}.{number:04d}@demo.example",
        city=_CITIES[number % len(_CITIES)],
        phone=_phone(number - 1 if shares_phone else number),
    )


def named(number: int, name: str, *, phone_of: int | None = None) -> Person:
    """Return a person of a story, whose address is just the name.

    Args:
        number: The person's own.
        name: Used by nobody else.
        phone_of: Whose phone the person uses, if not the own one.
    """
    return Person(
        number=number,
        name=name,
        email=f"{name.lower()}@demo.example",
        city=_CITIES[number % len(_CITIES)],
        phone=_phone(number if phone_of is None else phone_of),
    )


def _phone(number: int) -> str:
    line, area = divmod(number, len(_PHONE_RANGES))
    return f"{_PHONE_RANGES[area]}{line:03d}"
