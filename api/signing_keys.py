"""The keys that sign access tokens, derived from the secret of the installation, and read again every second."""

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg_pool import PoolTimeout

from api.database import Pool
from commands import signing_keys
from commands.signing_keys import KeyRow
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
ALGORITHM: Final = "EdDSA"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of Ed25519 (RFC 8032), and the name that tokens give it."""

    kid: str
    private: Ed25519PrivateKey
    public: Ed25519PublicKey

    @property
    def jwk(self) -> dict[str, str]:
        """The public half (RFC 7517, RFC 8037)."""
        x = _base64url(_raw(self.public))
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": ALGORITHM}


def derive(secret: str, salt: bytes) -> SigningKey:
    """The key of a secret and a salt (HKDF, RFC 5869). Its name is a part of the hash of its public half."""
    seed = HKDF(hashes.SHA256(), 32, salt=salt, info=b"taskfold access tokens").derive(secret.encode())
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key()
    return SigningKey(_base64url(hashlib.sha256(_raw(public)).digest()[:12]), private, public)


class SigningKeys:
    """The keys that this process knows. `dropped` is called when one is good no longer."""

    def __init__(self, pool: Pool, secret: str, dropped: Callable[[], None] = lambda: None) -> None:
        self._pool = pool
        self._secret = secret
        self._dropped = dropped
        self._derived: dict[int, SigningKey] = {}
        self._accepted: dict[str, SigningKey] = {}
        self._signing: SigningKey | None = None
        self._read_at = -POLL_SECONDS
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read them once, then go on looking. Raises `LookupError` where there is none."""
        await self.run_once()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking."""
        await end(self._task)

    @property
    def signing(self) -> SigningKey:
        """The one that signs now."""
        if self._signing is None:
            raise LookupError("no signing key is known yet")
        return self._signing

    def accepted(self, kid: str) -> SigningKey | None:
        """The key of a name, where what it signed is good."""
        return self._accepted.get(kid)

    def jwks(self) -> dict[str, Any]:
        """The public halves of all that are accepted, the one that signs first."""
        keys = sorted(self._accepted.values(), key=lambda key: key is not self._signing)
        return {"keys": [key.jwk for key in keys]}

    async def refresh(self) -> None:
        """A name came that is not known: look again, unless somebody did within the last second."""
        async with self._reading:
            if monotonic() - self._read_at >= POLL_SECONDS:
                await self._read()

    async def run_once(self) -> None:
        """Read the keys."""
        async with self._reading:  # one at a time, or an older answer could come later
            await self._read()

    async def _read(self) -> None:
        self._read_at = monotonic()
        async with self._pool.connection() as connection:
            rows = [row for row in await signing_keys.read(connection) if not row.retired]
        if not rows:
            raise LookupError("the table signing_keys has no key that is not retired; `taskfold keys rotate` makes one")
        self._take(rows)

    def _take(self, rows: list[KeyRow]) -> None:
        self._derived = {row.key_id: self._derived.get(row.key_id) or derive(self._secret, row.salt) for row in rows}
        before, self._accepted = self._accepted, {key.kid: key for key in self._derived.values()}
        self._signing = self._derived[max((row for row in rows if row.signs), key=_age, default=rows[0]).key_id]
        if before.keys() - self._accepted.keys():
            self._dropped()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError, LookupError) as error:
                log.warning("signing keys not read", extra={"error": str(error)})


def _age(row: KeyRow) -> tuple[str, int]:
    return (row.signs_from, row.key_id)


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
