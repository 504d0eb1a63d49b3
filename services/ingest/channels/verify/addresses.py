"""The address that a vendor signs: the one that was entered there, however it was sent; pure.

Which spelling was signed is not for the sender to prove: every candidate is worth nothing without
the secret.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from services.ingest.channels.contract import Delivery
from shared.sources import Hook

_PORTS: Final = {"https": 443, "http": 80}


def addresses_of(delivery: Delivery, hook: Hook) -> list[str]:
    """Return the addresses that the vendor may have signed, most likely first.

    ``hook.url`` is what was entered; where nothing is set, it was this host and this path. The
    query string counts as it was sent, and each address with and without its port.
    """
    addresses: list[str] = []
    for entered in [hook.url] if hook.url else _addresses_as_sent(delivery):
        for address in _with_query(entered, delivery.query.decode("latin-1")):
            addresses += _with_and_without_port(address)
    return list(dict.fromkeys(addresses))


def _addresses_as_sent(delivery: Delivery) -> list[str]:
    host = delivery.headers.get(b"host", b"").decode("latin-1")
    path = "/".join(quote(segment, safe="") for segment in delivery.path)
    return [f"{scheme}://{host}/{path}" for scheme in _PORTS]


def _with_query(entered: str, query: str) -> Iterator[str]:
    yield entered
    if query:
        yield f"{entered.partition('?')[0]}?{query}"


def _with_and_without_port(address: str) -> Iterator[str]:
    yield address
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # a host header that is no host
        return
    if port is not None:
        yield _at(parts, parts.netloc.rpartition(":")[0])
    elif parts.scheme in _PORTS:
        yield _at(parts, f"{parts.netloc}:{_PORTS[parts.scheme]}")


def _at(parts: SplitResult, netloc: str) -> str:
    return parts._replace(netloc=netloc).geturl()
