"""Addresses that webhooks may be sent to: those of the public Internet and no others.

Whoever registers a webhook makes this server ask an address of their choice, from inside of our
network. So every address a name stands for has to be public, also those that hide an IPv4 address
in an IPv6 one, and it is asked again at every connection, because names change.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

RESOLVE_SECONDS: Final = 5.0

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""Reaches the IPv4 address in its last 32 bits (RFC 6052)."""
_NEVER: Final = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 inside of a network (RFC 8215)
    IPv6Network("::/96"),  # IPv4-compatible, deprecated
    IPv6Network("fec0::/10"),  # site-local, deprecated
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
)


_NEVER_EITHER: Final = IPv4Address("168.63.129.16")
"""Answers inside of Azure only, with the secrets of the machine that asks."""


class AddressRefused(ValueError):
    """A name that leads to an address that webhooks may not be sent to, or to none."""


def is_public(address: Address) -> bool:
    """Return whether *address* is one that everybody on the Internet can reach."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address.scope_id is not None or any(address in network for network in _NEVER):
            return False
    return address.is_global and not address.is_multicast and address != _NEVER_EITHER


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to *address* end at, if they do."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _looked_up(host: str, port: int) -> asyncio.Future[list[str]]:
    """Ask the name servers in a thread of its own.

    One that waits for a dead name server must keep neither other threads' work nor the end of the
    process waiting, as those that asyncio keeps would.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found or [])

    def ask() -> None:
        found, failed = None, None
        try:
            told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = [str(address[0]) for *_, address in told]
        except (OSError, UnicodeError) as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=ask, name="webhook-name", daemon=True).start()
    return answer


async def resolve(host: str, port: int) -> list[Address]:
    """Return all addresses that *host*, a name or an address, stands for.

    Raises:
        AddressRefused: there is none, or no name server answers.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await _looked_up(host, port)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise AddressRefused(f"{host} has no address that could be found") from error
    return [ip_address(address) for address in found]


async def public_addresses(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of *host*, all of which are public.

    Raises:
        AddressRefused: one of them is not, or there is none.
    """
    addresses = await resolve(host, port)
    refused = [address for address in addresses if not is_public(address)]
    if refused or not addresses:
        raise AddressRefused(f"{host} leads into a private network ({refused[0]})")
    return addresses
