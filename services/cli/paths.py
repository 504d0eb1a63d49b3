"""Paths of the API."""

from urllib.parse import quote


def customer_path(ref: str) -> str:
    """Return the path of the customer *ref*, whatever characters it has."""
    return f"/v1/customers/{quote(ref, safe=':')}"
