"""What is kept of where somebody logs in from: enough to know it again in a list, not enough to follow them."""

from ipaddress import ip_network
from typing import Final

from fastapi import Request

from api.defence.addresses import Addresses, parsed
from commands.sessions import Device

USER_AGENT_MAX: Final = 200
BITS: Final = {4: 24, 6: 48}  # kept of an address


def device(request: Request) -> Device:
    """The user agent, cut short, and the network of the address."""
    agent = "".join(filter(str.isprintable, request.headers.get("user-agent", "")))[:USER_AGENT_MAX]
    addresses: Addresses = request.app.state.services.addresses
    return Device(agent or None, network(addresses.of(request.scope)))


def network(host: str) -> str | None:
    """The address without its last part; None for what is no address."""
    address = parsed(host)
    return None if address is None else str(ip_network((address, BITS[address.version]), strict=False))
