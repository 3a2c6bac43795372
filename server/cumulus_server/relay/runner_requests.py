"""What runners ask, as bytes in and bytes out: claim and events whichever way they come, and files
by name where the runner is on this machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from cumulus_jupyter.protocol import PROTOCOL_HEADER, PROTOCOL_VERSION
from cumulus_jupyter.protocol.channel import Claim
from cumulus_jupyter.protocol.errors import CumulusError, Internal, InvalidArgument, NotFound

from .batches import decode_batch
from .runs import Runs

log = logging.getLogger(__name__)

_HEADERS = {PROTOCOL_HEADER.lower(): str(PROTOCOL_VERSION)}


class _File(msgspec.Struct):
    name: str
    path: str


_file = msgspec.json.Decoder(_File)
_claim = msgspec.json.Decoder(Claim)
_encode = msgspec.json.Encoder().encode


async def claim(runs: Runs, token: str, body: bytes) -> bytes:
    """Take an attempt, with its one-time claim token."""
    try:
        wanted = _claim.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"Invalid claim: {error}") from None
    return await runs.claim(token, wanted)


async def events(runs: Runs, key: str, body: bytes) -> bytes:
    """Store a batch of events."""
    return _encode(await runs.post_batch(key, decode_batch(body)))


async def _bundle(runs: Runs, key: str, body: bytes) -> bytes:
    return _encode({"path": str(await runs.bundle(await runs.session(key)))})


async def _value(runs: Runs, key: str, body: bytes) -> bytes:
    try:
        wanted = _file.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"Invalid value: {error}") from None
    await runs.link_value(await runs.session(key), wanted.name, Path(wanted.path))
    return b"{}"


_ROUTES = {"claim": claim, "events": events, "bundle": _bundle, "value": _value}


async def answer(
    runs: Callable[[], Runs], route: str, token: str, body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """What HTTP would answer: status, headers, body. Never raises."""
    fault: CumulusError
    try:
        if route not in _ROUTES:
            raise NotFound(f"No route: {route}")
        return 200, _HEADERS, await _ROUTES[route](runs(), token, body)
    except CumulusError as error:
        fault = error
    except Exception:
        log.exception("a runner's request failed: %s", route)
        fault = Internal(next="See the relay's log.")
    return fault.status, _HEADERS, _encode(fault.to_wire())
