"""Amounts of money: vendors write minor units, touchpoints have major ones; pure."""

from typing import Final

# Source: ISO 4217, and Stripe's and Square's lists of currencies without, or with three, decimals.
_NO_DECIMALS: Final = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
_THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def currency_code(text: str | None) -> str | None:
    """Return an ISO 4217 code as the standard writes it."""
    return None if text is None else text.upper()


def major_units(amount: float | None, currency: str | None) -> float | None:
    """Return an amount that is given in the smallest unit of *currency*: 9950 EUR is 99.5."""
    if amount is None:
        return None
    code = currency_code(currency) or ""
    if code in _NO_DECIMALS:
        return amount
    return amount / (1_000 if code in _THREE_DECIMALS else 100)
