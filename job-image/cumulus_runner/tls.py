"""The encrypted way to the relay. Imported only where its address begins with https."""

from __future__ import annotations

import functools
import ssl

#: A socket raises these where it has to wait.
WantRead, WantWrite = ssl.SSLWantReadError, ssl.SSLWantWriteError


@functools.lru_cache(maxsize=4)
def context(certificate: str) -> ssl.SSLContext:
    """Trusts this PEM alone, or the system's authorities where it is empty. Raises ``OSError``."""
    if not certificate:
        return ssl.create_default_context()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=certificate)
    # The relay's own certificate may be what is trusted, whoever signed it.
    made.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
    return made


def describe(error: OSError) -> str:
    """What went wrong, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not the one to trust ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection ({error.reason or error})"
    return error.strerror or str(error)
