"""Tokens that travel by mail: 256 random bits, of which only a hash is kept."""

import hashlib
import secrets


def new_token() -> str:
    """A token that nobody can guess; safe in a URL."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is kept of it. A token of so many random bits needs no salt and no slow hash (ASVS 5.0, 11.4.2)."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
