"""Nobody chooses their own address; `allow_from` is asked about the real one."""

from ipaddress import ip_address, ip_network

import pytest

from ami_planfix.web.callers import Callers, read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:5000 ", "192.0.2.1"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_are_read_in_the_forms_that_proxies_write(text: str, address: str) -> None:
    assert read_address(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "unknown", "_hidden", "1.2.3", "[", "192.0.2.1, 192.0.2.2", "\x00"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_address(text) is None


def test_a_header_of_a_stranger_is_not_believed() -> None:
    callers = Callers(trusted_proxies=[ip_network("10.0.0.0/8")])
    assert callers.address("203.0.113.9", ["127.0.0.1"]) == ip_address("203.0.113.9")


def test_behind_a_trusted_proxy_the_nearest_untrusted_address_counts() -> None:
    callers = Callers(trusted_proxies=[ip_network("10.0.0.0/8"), ip_network("127.0.0.1")])
    forged = ["127.0.0.1, 198.51.100.7", "203.0.113.9, 10.0.0.2"]
    assert callers.address("127.0.0.1", forged) == ip_address("203.0.113.9")


def test_a_malformed_header_leaves_the_proxy_itself() -> None:
    callers = Callers(trusted_proxies=[ip_network("127.0.0.1")])
    assert callers.address("127.0.0.1", ["nonsense"]) == ip_address("127.0.0.1")
    assert callers.address("127.0.0.1", []) == ip_address("127.0.0.1")


def test_allow_from_lets_in_its_networks_only() -> None:
    callers = Callers(allow_from=[ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")])
    assert callers.allowed(ip_address("203.0.113.9"))
    assert callers.allowed(ip_address("2001:db8::5"))
    assert not callers.allowed(ip_address("198.51.100.7"))


def test_an_empty_allow_from_lets_in_everybody() -> None:
    assert Callers().allowed(ip_address("198.51.100.7"))
