"""Addresses that webhooks may be sent to: those of the public Internet and no others.

Whoever registers a webhook makes this server ask an address of their choice, from inside of our
network. So every address a name stands for has to be public, also those that hide an IPv4 address
in an IPv6 one, and it is asked again at every connection, because names change.
"""

import asyncio
import socket
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
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to *address* end at, if they do."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


async def resolve(host: str, port: int) -> list[Address]:
    """Return all addresses that *host*, a name or an address, stands for.

    Raises:
        AddressRefused: there is none, or no name server answers.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise AddressRefused(f"{host} has no address that could be found") from error
    return [ip_address(address[0]) for *_, address in found]


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
