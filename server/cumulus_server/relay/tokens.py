"""One-time tokens: made at random, kept only as hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_token() -> str:
    """A claim token for one attempt: 32 random bytes in hex."""
    return secrets.token_hex(32)


def token_hash(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def matches(token: str, stored: str | None) -> bool:
    """True if ``token`` is the one whose hash is ``stored``; in constant time."""
    return stored is not None and hmac.compare_digest(token_hash(token), stored)
