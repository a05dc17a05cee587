"""Access tokens: signed JWTs (RFC 7519, RFC 9068), verified once and then remembered, as personal ones are too."""

from collections import OrderedDict
from dataclasses import dataclass
from time import time
from typing import Final

import jwt

from api.signing_keys import ALGORITHM, SigningKeys
from commands import personal_tokens
from commands.sessions import Session
from domain.errors import Unauthenticated

ISSUER: Final = "taskfold"
AUDIENCE: Final = "taskfold-api"
FACTOR: Final = "second_factor"  # the scope of a session that may do nothing but add one
TYPE: Final = "at+jwt"
MEMBERS: Final = frozenset({"alg", "typ", "kid"})
CLAIMS: Final = ["exp", "iat", "sub", "wid", "sid"]
LONGEST: Final = 2_000  # characters; ours have some 450
REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a verified token names.

    `session_id` is what it ends with: the session, or the personal token itself. `scopes` bound a personal token; None
    for somebody who logged in, or FACTOR alone where they must add a second factor first. `expires_at` is when it ends,
    `known_until` when it is to be looked at again, both in seconds since 1970. `kid` names the key that signed it.
    """

    user_id: str
    workspace_id: str
    session_id: str
    expires_at: float
    scopes: frozenset[str] | None = None
    known_until: float = 0.0
    kid: str = ""

    @property
    def revoked_code(self) -> str:
        """What is said of it once it was revoked."""
        return "auth.session_revoked" if self.scopes is None or FACTOR in self.scopes else "auth.token_revoked"


class Unseen(Unauthenticated):
    """Memory does not know whom a token names; one look at the database may tell."""

    def __init__(self, token: str) -> None:
        super().__init__("auth.token_invalid", "the access token is not one of ours")
        self.token = token


class Tokens:
    """Signs with the key of the moment, and verifies with all that are accepted."""

    def __init__(self, keys: SigningKeys, lifetime_seconds: int) -> None:
        self._keys = keys
        self.lifetime_seconds = lifetime_seconds
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    def sign(self, session: Session, *, limited: bool = False) -> str:
        """An access token of a session; `limited`: for adding a second factor, and nothing else."""
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
        if limited:
            claims["scope"] = FACTOR
        key = self._keys.signing
        return jwt.encode(claims, key.private, ALGORITHM, headers={"typ": TYPE, "kid": key.kid})

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

    def forget(self) -> None:
        """A key is good no longer: whatever it signed must not be remembered."""
        self._verified.clear()

    def _decode(self, token: str) -> Identity:
        """The algorithm, the key and the type are ours, never the token's own word for it (RFC 8725 §3.1, §3.11).

        A header with any other member is not one that we wrote: keys that come with the token (`jwk`, `jku`, `x5u`) and
        extensions (`crit`) need no rules of their own.
        """
        if token.startswith(personal_tokens.PREFIX):
            raise Unseen(token) if personal_tokens.is_whole(token) else _invalid()
        if len(token) > LONGEST:
            raise _invalid()
        try:
            header = jwt.get_unverified_header(token)
            if header.keys() != MEMBERS or header["alg"] != ALGORITHM or header["typ"] != TYPE:
                raise _invalid()
            key = self._keys.accepted(header["kid"])
            if key is None:
                raise Unseen(token)
            claims = jwt.decode(
                token, key.public, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options={"require": CLAIMS}
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("auth.token_expired", "the access token has expired; refresh it") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise _invalid() from error
        expires_at = float(claims["exp"])
        scopes = frozenset({FACTOR}) if "scope" in claims else None
        return Identity(claims["sub"], claims["wid"], claims["sid"], expires_at, scopes, expires_at, key.kid)


def _invalid() -> Unauthenticated:
    return Unauthenticated("auth.token_invalid", "the access token is not one of ours")
