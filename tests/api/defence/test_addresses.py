"""Where a request comes from: the peer, unless it is a proxy of ours, and then whom the nearest honest hop names."""

from typing import Any

import pytest

from api.defence.addresses import Addresses, holder_of, network_of, networks

OURS = Addresses(networks("10.0.0.0/8, 2001:db8::/32"))


def _scope(peer: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "client": None if peer is None else (peer, 1234),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }


def _for(value: str) -> tuple[str, str]:
    return ("X-Forwarded-For", value)


def _stated(value: str) -> tuple[str, str]:
    return ("Forwarded", value)


@pytest.mark.parametrize("headers", [[], [_for("1.1.1.1")], [_stated("for=1.1.1.1")], [_for("10.0.0.1")]])
def test_who_is_no_proxy_of_ours_is_who_he_is_whatever_he_says(headers: list[tuple[str, str]]) -> None:
    assert OURS.of(_scope("9.9.9.9", *headers)) == "9.9.9.9"
    assert Addresses(()).of(_scope("10.0.0.1", *headers)) == "10.0.0.1"


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], "10.0.0.1"),
        ([_for("1.1.1.1")], "1.1.1.1"),
        ([_for("6.6.6.6, 1.1.1.1")], "1.1.1.1"),
        ([_for("6.6.6.6"), _for("1.1.1.1")], "1.1.1.1"),
        ([_for("6.6.6.6, 1.1.1.1, 10.2.3.4")], "1.1.1.1"),
        ([_for("1.1.1.1:4321")], "1.1.1.1"),
        ([_for("::ffff:1.1.1.1")], "1.1.1.1"),
        ([_for("2a00::1")], "2a00::1"),
        ([_for("[2a00::0001]:4321, 2001:db8::5")], "2a00::1"),
        ([_for("10.9.9.9, 10.8.8.8")], "10.9.9.9"),
        ([_for("1.1.1.1, nonsense")], "10.0.0.1"),
        ([_for("6.6.6.6, nonsense, 1.1.1.1")], "1.1.1.1"),
        ([_for("")], "10.0.0.1"),
        ([_for(" , ,")], "10.0.0.1"),
        ([_stated("for=1.1.1.1;proto=https")], "1.1.1.1"),
        ([_stated('for=6.6.6.6, By=x;For="[2a00::1]:80"')], "2a00::1"),
        ([_stated("for=1.1.1.1, for=_hidden")], "10.0.0.1"),
        ([_stated("for=1.1.1.1, proto=https")], "10.0.0.1"),
        ([_stated("for=1.1.1.1"), _for("1.1.1.1")], "1.1.1.1"),
        ([_stated("for=6.6.6.6"), _for("1.1.1.1")], "10.0.0.1"),
        ([_for("1.1.1.1" + ", 6.6.6.6" * 10_000)], "6.6.6.6"),
    ],
)
def test_a_proxy_of_ours_is_believed_as_far_as_the_first_hop_that_is_none(
    headers: list[tuple[str, str]], address: str
) -> None:
    assert OURS.of(_scope("10.0.0.1", *headers)) == address


def test_a_peer_on_this_machine_has_no_address_and_may_be_a_proxy() -> None:
    assert OURS.of(_scope(None)) == "local"
    assert OURS.of(_scope(None, _for("1.1.1.1"))) == "1.1.1.1"
    assert Addresses(()).of(_scope(None, _for("1.1.1.1"))) == "local"


@pytest.mark.parametrize(
    ("address", "network", "holder"),
    [
        ("1.2.3.4", "1.2.3.0/24", "1.2.3.4"),
        ("2a00:1:2:3:4:5:6:7", "2a00:1:2:3::/64", "2a00:1:2:3::/64"),
        ("local", "local", "local"),
    ],
)
def test_a_party_holds_a_network(address: str, network: str, holder: str) -> None:
    assert (network_of(address), holder_of(address)) == (network, holder)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "a", "10.0.0.0/33", "*"])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits"):
        networks(text)
