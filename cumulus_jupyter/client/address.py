"""Where a relay listens: its URL, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..protocol.errors import InvalidArgument


@dataclass(frozen=True)
class Address:
    """Where a relay listens: the pieces of its URL."""

    host: str
    port: int
    tls: bool
    #: Path below which the relay's routes live; ends in a slash.
    base_path: str


def parse_address(url: str) -> Address:
    """The pieces of a relay's URL. Raises ``InvalidArgument``."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise InvalidArgument(
            f"Not a relay's address: {url}", next="Write it as http://HOST:PORT/ or https://HOST/."
        )
    tls = parts.scheme == "https"
    path = parts.path if parts.path.endswith("/") else parts.path + "/"
    return Address(parts.hostname, port or (443 if tls else 80), tls, path)
