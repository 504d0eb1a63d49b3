"""What the demo shop sells, and what is written and said around it. All of it is made up."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from shared.touchpoints import JsonObject

SHOP: Final = "Demo shop (synthetic data)"
CURRENCY: Final = "EUR"


class Product(NamedTuple):
    """Something on sale; ``price`` in euros."""

    name: str
    category: str
    price: float

    def properties(self) -> JsonObject:
        """Return the product as touchpoints name it."""
        return {"product": self.name, "category": self.category, "price": self.price}


PRODUCTS: Final[Sequence[Product]] = (
    Product("Garden chair", "garden", 59.0),
    Product("Garden table", "garden", 189.0),
    Product("Parasol", "garden", 79.5),
    Product("Hammock", "garden", 99.0),
    Product("Desk lamp", "light", 45.9),
    Product("Floor lamp", "light", 129.0),
    Product("Bookshelf", "living", 149.0),
    Product("Armchair", "living", 329.0),
    Product("Wool blanket", "living", 69.0),
    Product("Espresso pot", "kitchen", 34.5),
    Product("Chef's knife", "kitchen", 89.0),
    Product("Bread box", "kitchen", 39.0),
)

STORES: Final = ("demo-store-north", "demo-store-south", "demo-store-centre")

QUESTIONS: Final = (
    "Asks whether the armchair also comes in green.",
    "Wants to know how long delivery to the third floor takes.",
    "Compares the two floor lamps, asks about the bulbs.",
    "Asks for the opening hours of the store and parking nearby.",
)
HELP: Final = (
    "Does not find the second bag of screws, it was in the lid. Solved.",
    "Asks how to clean the wool blanket. Sent the care card.",
    "Wants to change the delivery address. Changed.",
    "Asks when the parcel comes. Tomorrow between 9 and 12.",
)
COMPLAINTS: Final = (
    "The table arrived with a scratch, the third call about it. Very annoyed.",
    "Waited two weeks for the refund. Disappointed.",
    "The delivery came a day late and nobody called.",
    "The chair wobbles and the hotline hung up. Angry.",
)
PRAISE: Final = (
    "Exactly as shown, arrived early. Would buy again!",
    "Great quality, and the people in the store were lovely.",
    "Better than expected. My sister ordered one as well.",
)
BLAME: Final = (
    "Looks cheaper than in the pictures.",
    "Broke after two weeks. Sent it back.",
)


def page(title: str, path: str) -> JsonObject:
    """Return the ``context`` of something that happened on a page of the shop."""
    url = f"https://shop.demo.example/{path}"
    return {"page": {"url": url, "title": f"{SHOP}: {title}"}}
