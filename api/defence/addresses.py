"""The one answer to the question where a request comes from. Throttles, rates, logs and sessions ask here."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOCAL: Final = "local"  # a peer without an address: a Unix socket
REMEMBERED: Final = 10_000


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a comma-separated list. Raises `ValueError` for what is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


class Addresses:
    """Knows which peers are proxies of ours: only these are believed when they say for whom they ask."""

    def __init__(self, trusted: tuple[Network, ...]) -> None:
        self._trusted = trusted
        self._told = lru_cache(REMEMBERED)(self._find)

    def of(self, scope: Mapping[str, Any]) -> str:
        """The address of the client of a request or socket, in canonical form."""
        peer = scope.get("client")
        host: str = peer[0] if peer else LOCAL
        if not self._trusted:
            return host
        forwarded, standard = b"", b""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                forwarded += b"," + value
            elif name == b"forwarded":
                standard += b"," + value
        return self._told(host, forwarded[-2_000:], standard[-2_000:])

    def _find(self, host: str, forwarded: bytes, standard: bytes) -> str:
        peer = parsed(host)
        if peer is not None and not self._is_trusted(peer):
            return str(peer)
        hops = forwarded.decode("latin-1").split(",")
        stated = [_hop(element) for element in standard.decode("latin-1").split(",")]
        found = {self._nearest(host, [hop for hop in way if hop]) for way in (hops, stated) if any(way)}
        # A proxy sets one of the two headers; the other one may be the client's own. Where they differ, believe none.
        return found.pop() if len(found) == 1 else host

    def _nearest(self, host: str, hops: list[str]) -> str:
        """From right to left, the first hop that is no proxy of ours. Whatever stands left of it, anybody can write."""
        nearest = host
        for hop in reversed(hops):
            address = parsed(hop)
            if address is None:
                return nearest
            nearest = str(address)
            if not self._is_trusted(address):
                return nearest
        return nearest

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


@lru_cache(REMEMBERED)
def network_of(address: str) -> str:
    """The network that one party usually holds: /24 of IPv4, /64 of IPv6 (RFC 6177)."""
    found = parsed(address)
    if found is None:
        return address
    return str(ip_network((found, 24 if found.version == 4 else 64), strict=False))


@lru_cache(REMEMBERED)
def holder_of(address: str) -> str:
    """The smallest thing that one party holds: an address of IPv4, a /64 of IPv6."""
    found = parsed(address)
    return network_of(address) if found is not None and found.version == 6 else address


def parsed(text: str) -> Address | None:
    """An address, also with a port, in brackets, or as IPv4 in the clothes of IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _hop(element: str) -> str:
    """What an element of `Forwarded` (RFC 7239 §4) says of the client; `unknown` where it hides it."""
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return value.strip().strip('"')
    return "unknown" if element.strip() else ""
