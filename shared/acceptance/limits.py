"""What one item, and one request, may be at most; over them an item is refused, or a request."""

from typing import Final

MOST_ITEMS: Final = 1_000
ITEM_BYTES: Final = 32 * 1024
"""Measured on an item's bytes as sent."""
DEEPEST: Final = 32
"""Levels of objects and arrays, the item itself being the first."""
LONGEST_NAME: Final = 200
"""Characters of an id or of a member's name, at any depth."""
SMALLEST_INTEGER: Final = -(2**63)
LARGEST_INTEGER: Final = 2**63 - 1
MOST_FAULTS: Final = 10
"""How many of an item's faults are told; further ones are left out."""
