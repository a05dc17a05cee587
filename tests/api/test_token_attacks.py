"""Access tokens that somebody made up, bent or borrowed: each is refused, on REST and on sockets.

The attacks are those of RFC 8725 and of the cheat sheets of OWASP.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import time
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import connect

from api.signing_keys import ALGORITHM, SigningKey
from commands.ids import new_id
from tests.house import Client, House, Socket, refused

INVALID = "auth.token_invalid"
EXPIRED = "auth.token_expired"

Attacks = Iterator[tuple[str, str]]  # what it is, and the token


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def part(value: Any) -> str:
    return encoded(orjson.dumps(value))


@dataclass(frozen=True)
class Forger:
    """Somebody with a good token, and with our key where an attack supposes that we erred before."""

    good: str
    refresh_token: str
    key: SigningKey

    @property
    def header(self) -> dict[str, Any]:
        return dict(jwt.get_unverified_header(self.good))

    @property
    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(self.good, options={"verify_signature": False})
        return claims

    def signed(self, header: dict[str, Any] | None = None, key: Any = None, **changed: Any) -> str:
        """A token of our form; claims that are None are left out."""
        claims = {name: value for name, value in (self.claims | changed).items() if value is not None}
        head = self.header if header is None else header
        return self.sealed(head, part(claims), key)

    def sealed(self, header: dict[str, Any], payload: str, key: Any = None) -> str:
        body = f"{part(header)}.{payload}"
        return f"{body}.{encoded((key or self.key.private).sign(body.encode()))}"

    def hmac(self, secret: bytes, algorithm: str = "HS256", **header: Any) -> str:
        body = f"{part({**self.header, 'alg': algorithm, **header})}.{part(self.claims)}"
        return f"{body}.{encoded(hmac.digest(secret, body.encode(), 'sha256'))}"


def algorithms(eve: Forger) -> Attacks:
    """The token says how it is to be verified."""
    good_signature = eve.good.rpartition(".")[2]
    names = ("none", "None", "NONE", "nOnE", "", "eddsa", "EDDSA", "Ed25519", "ES256", "RS256", "HS256", None, 1)
    for name in names:
        head = f"{part({**eve.header, 'alg': name})}.{part(eve.claims)}"
        yield f"alg {name!r}, unsigned", f"{head}."
        yield f"alg {name!r}, with the signature of a good one", f"{head}.{good_signature}"
    others: dict[str, Any] = {
        "RS256": rsa.generate_private_key(65_537, 2_048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
    }
    for name, key in others.items():
        headers = {"typ": "at+jwt", "kid": eve.key.kid}
        yield f"a key of {name} under our name", jwt.encode(eve.claims, key, name, headers=headers)


def secrets(eve: Forger) -> Attacks:
    """What is public, as the secret of an HMAC."""
    info, public = PublicFormat.SubjectPublicKeyInfo, eve.key.public
    known = {
        "the public key": public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        "the public key in PEM": public.public_bytes(Encoding.PEM, info),
        "the public key in DER": public.public_bytes(Encoding.DER, info),
        "the JWK": orjson.dumps(eve.key.jwk),
        "the x of the JWK": eve.key.jwk["x"].encode(),
        "the name of the key": eve.key.kid.encode(),
        "nothing": b"",
    }
    for name, secret in known.items():
        for algorithm in ("HS256", ALGORITHM):
            yield f"{name} as the secret of {algorithm}", eve.hmac(secret, algorithm)
    yield "a symmetric key of its own", eve.hmac(b"secret", jwk={"kty": "oct", "k": encoded(b"secret")})


def headers(eve: Forger) -> Attacks:
    """Headers that are signed with our own key, and are not ours."""
    more: list[tuple[str, Any]] = [
        ("jku", "https://attacker.example/jwks.json"),
        ("x5u", "https://attacker.example/cert.pem"),
        ("x5c", ["MIIB"]),
        ("x5t", "abc"),
        ("jwk", {"kty": "OKP"}),
        ("crit", ["exp"]),
        ("crit", []),
        ("b64", False),
        ("zip", "DEF"),
        ("cty", "JWT"),
        ("enc", "A256GCM"),
        ("typ", "JWT"),
        ("typ", "AT+JWT"),
        ("typ", "application/at+jwt"),
        ("typ", "rt+jwt"),
        ("typ", None),
        ("kid", "unknown"),
        ("kid", ""),
        ("kid", "../../../../dev/null"),
        ("kid", "' OR 1=1 --"),
        ("kid", None),
        ("kid", 1),
        ("kid", ["a"]),
        ("kid", {"a": 1}),
    ]
    for name, value in more:
        yield f"a header with {name} = {value!r}", eve.signed({**eve.header, name: value})
    for name in ("alg", "typ", "kid"):
        yield f"a header without {name}", eve.signed({k: v for k, v in eve.header.items() if k != name})
    own = Ed25519PrivateKey.generate()
    raw = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    brought = {
        "kid": encoded(hashlib.sha256(raw).digest()[:12]),
        "jwk": {"kty": "OKP", "crv": "Ed25519", "x": raw.hex()},
    }
    yield "a key that comes with the token", eve.signed({**eve.header, **brought}, own)
    yield "another key under our name", eve.signed(key=own)


def claims(eve: Forger) -> Attacks:
    """Claims that are signed with our own key, and are not for this use."""
    wrong: list[tuple[str, Any]] = [
        ("aud", "another-api"),
        ("aud", ["another-api"]),
        ("aud", {"taskfold-api": 1}),
        ("aud", None),
        ("iss", "another-issuer"),
        ("iss", None),
        ("sub", 1),
        ("sub", None),
        ("wid", None),
        ("sid", None),
        ("exp", "tomorrow"),
        ("exp", None),
        ("iat", None),
        ("iat", int(time()) + 3_600),
        ("nbf", int(time()) + 3_600),
    ]
    for name, value in wrong:
        yield f"the claim {name} = {value!r}", eve.signed(**{name: value})
    yield "claims that are no object", eve.sealed(eve.header, part([eve.claims]))
    yield "claims that are no JSON", eve.sealed(eve.header, encoded(b"{"))
    yield "claims that are no base64", eve.sealed(eve.header, "!!!!")
    yield "a token in a token", eve.sealed(eve.header, encoded(eve.good.encode()))


def bent(eve: Forger) -> Attacks:
    """A good token that was changed, or is none at all."""
    header, payload, signature = eve.good.split(".")
    yield "tampered claims", f"{header}.{part({**eve.claims, 'sub': new_id()})}.{signature}"
    yield "a tampered header", f"{part({**eve.header, 'x': 1})}.{payload}.{signature}"
    yield "a signature of zeros", f"{header}.{payload}.{'A' * len(signature)}"
    yield "a signature cut short", eve.good[:-2]
    yield "no signature", f"{header}.{payload}."
    yield "no signature and no dot", f"{header}.{payload}"
    yield "four parts", f"{eve.good}.{signature}"
    yield "five parts, as an encrypted one", f"{eve.good}.a.b"
    yield "a header that is no object", f"{part([eve.header])}.{payload}.{signature}"
    yield "a header that is no JSON", f"{encoded(b'{')}.{payload}.{signature}"
    yield "a header that is no UTF-8", f"{encoded(bytes([0xFF]))}.{payload}.{signature}"
    yield "a header nested deeply", f"{encoded(b'[' * 1_400)}.{payload}.{signature}"
    yield "nothing but dots", ".."
    yield "many dots", "." * 1_000
    yield "a huge token", eve.signed(x="x" * 20_000)
    yield "a token a little too long", eve.signed(x="x" * 2_000)
    yield "two tokens", f"{eve.good} {eve.good}"
    yield "a refresh token", eve.refresh_token
    yield "a personal token of nobody", "tfp_" + "0" * 49


def expired(eve: Forger) -> Attacks:
    yield "expired a second ago", eve.signed(exp=int(time()) - 1)
    yield "expired long ago", eve.signed(exp=1, iat=0)


def forger(house: House, client: Client) -> Forger:
    return Forger(client.tokens["access_token"], client.tokens["refresh_token"], house.services.keys.signing)


async def refused_everywhere(house: House, token: str, code: str, name: str) -> None:
    """A read, a command by the short way, a socket."""
    sent = {"Authorization": f"Bearer {token}"}
    for response in (
        await house.http.get("/users/profile", headers=sent),
        await house.http.post("/tasks", json={"title": "a"}, headers=sent),
    ):
        assert response.status_code == 401, f"{name}: {response.text[:200]}"
        refused(response, 401, code)
    url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks"
    if len(token) > 8_000:  # the client of the tests sends no such line
        return
    async with connect(url, additional_headers=sent, compression=None) as connection:
        assert await Socket(connection).closed() == (4401, code), name


@pytest.mark.parametrize("attacks", [algorithms, secrets, headers, claims, bent])
async def test_tokens_that_were_made_up_or_bent_are_refused(house: House, attacks: Callable[[Forger], Attacks]) -> None:
    ada = await house.user()
    eve = forger(house, ada)
    for name, token in attacks(eve):
        await refused_everywhere(house, token, INVALID, name)
    assert await ada.items("/tasks") == []
    # The forger's own way of signing is right, so each attack failed for what it changed.
    again = Client(house.http, {"access_token": eve.signed(more="claims")}, house.base)
    assert (await again.get("/tasks")).status_code == 200


async def test_expired_tokens_are_refused_as_such(house: House) -> None:
    for name, token in expired(forger(house, await house.user())):
        await refused_everywhere(house, token, EXPIRED, name)


async def test_a_token_of_ours_for_nobody_here_is_refused(house: House) -> None:
    eve = forger(house, await house.user())
    for token in (eve.signed(sub=new_id()), eve.signed(wid=new_id())):
        response = await house.http.get("/tasks", headers={"Authorization": f"Bearer {token}"})
        refused(response, 401, "auth.unknown_user")


async def test_an_access_token_is_no_refresh_token_and_no_ticket(house: House) -> None:
    ada = await house.user()
    token = ada.tokens["access_token"]
    refused(await house.http.post("/auth/refresh", json={"refresh_token": token[:200]}), 401, "auth.refresh_invalid")
    url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks?ticket={token}"
    async with connect(url, compression=None) as connection:
        assert await Socket(connection).closed() == (4401, "auth.ticket_invalid")


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "Token {}", "{}", "Bearer:{}"])
async def test_a_header_of_another_form_is_no_token(house: House, header: str) -> None:
    ada = await house.user()
    response = await house.http.get("/tasks", headers={"Authorization": header.format(ada.tokens["access_token"])})
    refused(response, 401, "auth.missing")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_taken_in_any_case(house: House, scheme: str) -> None:
    ada = await house.user()
    response = await house.http.get("/tasks", headers={"Authorization": f"{scheme} {ada.tokens['access_token']}"})
    assert response.status_code == 200
