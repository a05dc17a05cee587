"""Codes that are good once: those of a second factor (TOTP, RFC 6238), and those for who has lost it."""

import base64
import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20  # RFC 4226, section 4, R6
NONCE_BYTES: Final = 12
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 15  # 120 random bits: more than the 112 that need no slow hash (OWASP ASVS 5.0, 6.5.2)
ISSUER: Final = "Taskfold"


class Vault:
    """Encrypts the secrets of second factors for the database. The key is derived from the installation's secret."""

    def __init__(self, secret: str) -> None:
        key = HKDF(hashes.SHA256(), 32, salt=None, info=b"taskfold second factors").derive(secret.encode())
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, owner: str) -> bytes:
        """What may be stored: it opens for this owner alone."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes | None:
        """The secret; None where it was sealed with another key, or for somebody else."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            return None


def new_secret() -> bytes:
    """A secret to share with an authenticator."""
    return secrets.token_bytes(SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """A secret, for who types it."""
    return base64.b32encode(secret).decode().rstrip("=")


def as_uri(secret: bytes, account: str) -> str:
    """A secret as `otpauth:` URI, which authenticators read from a picture."""
    return _totp(secret).get_provisioning_uri(account, ISSUER)


def code_at(secret: bytes, step: int) -> str:
    """The code of a step."""
    return _totp(secret).generate(step * STEP_SECONDS).decode()


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The step that a code belongs to: this one, or the one before, as RFC 6238, section 5.2, allows for delays."""
    step = int(now // STEP_SECONDS)
    matching = [one for one in (step, step - 1) if secrets.compare_digest(code_at(secret, one), code)]
    return matching[0] if matching else None


def is_code(text: str) -> bool:
    """Whether it has the form of an authenticator's code."""
    return len(text) == DIGITS and text.isascii() and text.isdigit()


def new_recovery_codes() -> list[str]:
    """Codes to write down, in groups of four."""
    return [_grouped(base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]


def recovery_hash(code: str) -> bytes:
    """What is kept of one; however it is typed."""
    plain = "".join(filter(str.isalnum, code)).upper()
    return hashlib.sha256(b"taskfold recovery code\0" + plain.encode(errors="surrogatepass")).digest()


def _grouped(text: str) -> str:
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _totp(secret: bytes) -> TOTP:
    # What every authenticator knows. HMAC needs no hash that resists collisions (RFC 6238, section 1.2).
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303  # nosec B303
