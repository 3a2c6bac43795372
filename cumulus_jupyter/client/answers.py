"""What a relay's refusal, or its silence, means: the exception for it."""

from __future__ import annotations

import json

from ..protocol import PROTOCOL_HEADER, PROTOCOL_VERSION
from ..protocol.errors import (
    CumulusError,
    FailedPrecondition,
    Internal,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
    Unavailable,
    error_from_wire,
)
from .response import Response


def away(url: str, error: OSError) -> Unavailable:
    """The error for a relay that does not answer."""
    reason = error.strerror or str(error) or type(error).__name__
    return Unavailable(
        f"The relay at {url} does not answer: {reason}",
        next="Start it again (its Jupyter server, or: jupyter cumulus), or name another one:"
        " %cumulus connect URL.",
    )


def error_of(response: Response, url: str) -> CumulusError:
    """The exception an error response stands for. Reads its body."""
    try:
        body = json.loads(response.read(5.0))
    except (OSError, ValueError):
        body = None
    spoken = response.headers.get(PROTOCOL_HEADER.lower(), str(PROTOCOL_VERSION))
    if spoken != str(PROTOCOL_VERSION):
        return wrong_version(url, spoken)
    if isinstance(body, dict) and "code" in body:
        return error_from_wire(body)
    said = str(body.get("message") or "") if isinstance(body, dict) else ""
    if response.status in (401, 403):
        return Unauthenticated(
            f"The relay at {url} does not accept this token",
            next="Give the Jupyter server's token: %cumulus connect URL --token TOKEN.",
        )
    if response.status == 404 or response.status < 400:
        return no_relay(url)
    if response.status == 413:
        return PayloadTooLarge(next="Send less: name the inputs the cell needs with -i.")
    return Internal(f"The relay at {url} answered {response.status} {said}".rstrip())


def no_relay(url: str) -> NotFound:
    """The error for whatever else answers there."""
    return NotFound(
        f"There is no relay at {url}",
        next="Is cumulus-jupyter installed there? It should be in: jupyter server extension list",
    )


def wrong_version(url: str, spoken: object) -> FailedPrecondition:
    """The error for a relay of another protocol."""
    return FailedPrecondition(
        f"The relay at {url} speaks protocol {spoken}, this notebook speaks {PROTOCOL_VERSION}",
        next="Install the same version of cumulus-jupyter on both sides.",
    )
