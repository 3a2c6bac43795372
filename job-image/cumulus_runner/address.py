"""Where an HTTP server is, as a URL tells it."""

from __future__ import annotations

import collections

#: ``path`` ends with a slash; ``secure`` is True for https.
Address = collections.namedtuple("Address", ("host", "port", "path", "secure"))


def host_header(address: Address) -> str:
    """Value of the ``Host`` header."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


def parse_url(url: str) -> Address:
    """The address a URL stands for. Raises ``ValueError``.

    By hand: ``urllib.parse`` takes longer to import than a claim takes.
    """
    scheme, found, rest = url.partition("://")
    place, _, path = rest.partition("/")
    if not found or scheme not in ("http", "https") or not place:
        raise ValueError(f"not an http or https address: {url!r}")
    secure = scheme == "https"
    place = place.rpartition("@")[2]
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        port = rest.lstrip(":")
    else:
        host, _, port = place.partition(":")
    path = "/" + path.partition("?")[0]
    if not host:
        raise ValueError(f"not an http or https address: {url!r}")
    return Address(
        host,
        int(port) if port else (443 if secure else 80),
        path if path.endswith("/") else path + "/",
        secure,
    )
