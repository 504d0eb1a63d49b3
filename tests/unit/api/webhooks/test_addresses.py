"""Webhooks go to the public Internet and nowhere else."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from services.api.webhooks.addresses import AddressRefused, is_public, public_addresses, resolve

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - it is one of those that are refused
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_networks_machines_and_groups_are_not(address: str) -> None:
    assert not is_public(ip_address(address))


@given(ip_addresses(v=4))
def test_an_address_in_disguise_is_what_it_is_without(address: IPv4Address) -> None:
    sixtofour = IPv6Address(0x2002 << 112 | int(address) << 80)
    for disguise in (f"::ffff:{address}", f"64:ff9b::{address}", str(sixtofour)):
        assert is_public(ip_address(disguise)) == is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1"])
async def test_spellings_of_this_machine_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_addresses(host, 443)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "\udcff", ""])
async def test_a_name_without_an_address_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_addresses(host, 443)


async def test_an_address_stands_for_itself() -> None:
    assert await public_addresses("8.8.8.8", 443) == [ip_address("8.8.8.8")]
    assert await resolve("127.0.0.1", 80) == [ip_address("127.0.0.1")]
