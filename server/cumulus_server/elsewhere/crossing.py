"""What of a request goes on to a relay elsewhere, and what of its answer comes back. Nothing else crosses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tornado.httputil import HTTPHeaders

from cumulus_jupyter.protocol import API_PATH, PROTOCOL_HEADER, PROTOCOL_VERSION
from cumulus_jupyter.protocol.errors import (
    CumulusError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)

from ..handlers.base import whole_number
from .call import Head
from .target import Target

#: How many servers have passed a call on; two that name each other would do so for ever.
HOPS_HEADER = "Cumulus-Hops"
_MOST_HOPS = 4
#: Methods whose bodies go on. What comes with another one could be taken for a request of its own.
WITH_BODY = frozenset({"POST", "PUT"})
_OF_BODY = ("Content-Length", "Content-Type")
_GO_ON = (
    "Accept",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    PROTOCOL_HEADER,
)
_COME_BACK = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Length",
    "Content-Type",
    "Etag",
    "Retry-After",
    "X-Accel-Buffering",
)
#: This server's own, which are nobody else's business.
_OWN_ARGUMENTS = frozenset({"token", "_xsrf"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_API_AT = re.compile(rf"/{API_PATH}(?=/|\Z)")


def path_below(path: str) -> str:
    """What of a request's path is below the API's root. Raises ``NotFound`` for one that leads out."""
    below = _API_AT.split(path, maxsplit=1)[-1]
    for segment in below.split("/")[1:]:
        plain = unquote(segment)
        if plain in (".", "..") or "/" in plain or "\\" in plain:
            raise NotFound(f"No such route: {path}")
    return below


def query_of(query: str) -> str:
    """The query as it goes on: without what is this server's own."""
    kept = [(name, value) for name, value in parse_qsl(query, True) if name not in _OWN_ARGUMENTS]
    return "?" + urlencode(kept) if kept else ""


def request_headers(target: Target, method: str, asked: Mapping[str, str]) -> HTTPHeaders:
    """The head that goes on, with the relay's token. Raises ``FailedPrecondition`` where calls go round."""
    if whole_number(asked.get("Content-Length", "0")) is None:
        raise InvalidArgument("The Content-Length is no number")
    hops = asked.get(HOPS_HEADER, "0")
    count = int(hops) if hops.isascii() and hops.isdigit() and len(hops) < 4 else _MOST_HOPS
    if count >= _MOST_HOPS:
        raise FailedPrecondition(
            f"Calls that are passed on to {target.url} come back from there",
            next="Let Cumulus.relay_url name a relay, and not a server that passes calls on to this one.",
        )
    names = (*_GO_ON, *_OF_BODY) if method in WITH_BODY else _GO_ON
    sent = HTTPHeaders({name: asked[name] for name in names if name in asked})
    sent["Host"] = urlsplit(target.url).netloc
    sent["Authorization"] = f"Bearer {target.token}"
    sent["Connection"] = "close"
    sent[HOPS_HEADER] = str(count + 1)
    return sent


def answer_headers(head: Head, base_url: str) -> dict[str, str]:
    """The head that comes back, to a caller of the server with this base URL."""
    kept = {name: head.headers[name] for name in _COME_BACK if name in head.headers}
    place = head.headers.get("Location")
    if place is not None:
        kept["Location"] = f"{base_url}{API_PATH}{path_below(urlsplit(place).path)}"
    return kept


def fault_of(target: Target, head: Head) -> CumulusError | None:
    """What is wrong with an answer that did not come from a relay like this one; ``None`` for all others."""
    if head.status in _REDIRECTS:
        return Unavailable(
            f"The relay at {target.url} answers that it is elsewhere",
            next="Let Cumulus.relay_url name the place where it is; redirects are not followed.",
        )
    spoken = head.headers.get(PROTOCOL_HEADER)
    if spoken is None and head.status in (502, 503, 504):
        return Unavailable(
            f"The relay at {target.url} does not answer: what is before it says {head.status}",
            next="See whether it runs.",
        )
    if spoken is None:
        return Unavailable(
            f"There is no relay at {target.url}",
            next="Correct Cumulus.relay_url: it is the address that the relay says at its start.",
        )
    if spoken != str(PROTOCOL_VERSION):
        return FailedPrecondition(
            f"The relay at {target.url} speaks protocol {spoken[:20]}, this server {PROTOCOL_VERSION}",
            next="Install the same version of cumulus-jupyter on both sides.",
        )
    if head.status == 401:
        return Unavailable(
            f"The relay at {target.url} does not accept this server's token",
            next="Set CUMULUS_TOKEN, or the file of Cumulus.relay_token_file, to that relay's token.",
        )
    return None


def at(target: Target, path: str) -> str:
    """A path below the API's root, as the relay is asked for it."""
    return f"{urlsplit(target.url).path}{API_PATH}{path}"
