"""Access tokens: signed JWTs (RFC 7519, RFC 9068), verified once and then remembered, as personal ones are too."""

import base64
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from time import time
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commands import personal_tokens
from commands.sessions import Session
from domain.errors import Unauthenticated

ALGORITHM: Final = "EdDSA"
ISSUER: Final = "taskfold"
AUDIENCE: Final = "taskfold-api"
TYPE: Final = "at+jwt"
REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a verified token names.

    `session_id` is what it ends with: the session, or the personal token itself. `scopes` bound a personal token; None
    for somebody who logged in. `expires_at` is when it ends, `known_until` when it is to be looked at again, both in
    seconds since 1970.
    """

    user_id: str
    workspace_id: str
    session_id: str
    expires_at: float
    scopes: frozenset[str] | None = None
    known_until: float = 0.0

    @property
    def revoked_code(self) -> str:
        """What is said of it once it was revoked."""
        return "auth.session_revoked" if self.scopes is None else "auth.token_revoked"


class Unseen(Unauthenticated):
    """Memory does not know whom a token names; one look at the database may tell."""

    def __init__(self, token: str) -> None:
        super().__init__("auth.token_invalid", "the access token is not one of ours")
        self.token = token


class Tokens:
    """Signs with the key of the installation, derived from its secret, and verifies."""

    def __init__(self, secret: str, lifetime_seconds: int) -> None:
        seed = HKDF(hashes.SHA256(), 32, salt=None, info=b"taskfold access tokens").derive(secret.encode())
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key()
        raw = self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._x = _base64url(raw)
        self._kid = _base64url(hashlib.sha256(raw).digest()[:12])
        self.lifetime_seconds = lifetime_seconds
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    def sign(self, session: Session) -> str:
        """An access token of a session."""
        now = int(time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": session.user_id,
            "wid": session.workspace_id,
            "sid": session.session_id,
            "iat": now,
            "exp": now + self.lifetime_seconds,
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"typ": TYPE, "kid": self._kid})

    def verify(self, token: str) -> Identity:
        """Whom a token names.

        Raises `Unauthenticated` `auth.token_expired` or `auth.token_invalid`; `Unseen`, which is one of them, where a
        look at the database may still tell.
        """
        identity = self._verified.get(token)
        if identity is None or identity.known_until <= time():
            self._verified.pop(token, None)
            identity = self._decode(token)
            self.remember(token, identity)
        else:
            self._verified.move_to_end(token)
        return identity

    def remember(self, token: str, identity: Identity) -> None:
        """Whom a token names, until `known_until`; the token that was used longest ago makes room."""
        self._verified[token] = identity
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517, RFC 8037)."""
        key = {"kty": "OKP", "crv": "Ed25519", "x": self._x, "kid": self._kid, "use": "sig", "alg": ALGORITHM}
        return {"keys": [key]}

    def _decode(self, token: str) -> Identity:
        """The algorithm, the key and the type are ours, never the token's own word for it (RFC 8725 §3.1, §3.11)."""
        if token.startswith(personal_tokens.PREFIX):
            raise Unseen(token) if personal_tokens.is_whole(token) else _invalid()
        try:
            decoded = jwt.decode_complete(
                token,
                self._public,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "wid", "sid"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("auth.token_expired", "the access token has expired; refresh it") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise _invalid() from error
        header, claims = decoded["header"], decoded["payload"]
        if header.get("typ") != TYPE or header.get("kid") != self._kid or "crit" in header:
            raise _invalid()
        expires_at = float(claims["exp"])
        return Identity(claims["sub"], claims["wid"], claims["sid"], expires_at, known_until=expires_at)


def _invalid() -> Unauthenticated:
    return Unauthenticated("auth.token_invalid", "the access token is not one of ours")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
