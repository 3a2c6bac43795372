"""The claim: the first request of every attempt.

A runner that has just been started for one job sends it before it is fully there itself: while the relay
answers, the rest is imported.
"""

from __future__ import annotations

# What ``socket`` wraps, which takes longer to import than the relay takes to answer.
import _socket
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Dict

from cumulus_jupyter.protocol import API_PATH, PROTOCOL_HEADER, PROTOCOL_VERSION

from .address import host_header, parse_url

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment

_PATIENCE_S = 1.0


def new_session_key() -> str:
    """A secret of this runner's own."""
    return os.urandom(32).hex()


def claim_body(assignment: Assignment, session_key: str) -> bytes:
    """The JSON of a ``protocol.channel.Claim``."""
    claim = {
        "job_id": assignment.job_id,
        "attempt": assignment.attempt,
        "session_key": session_key,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "host": os.uname().nodename,
        "pid": os.getpid(),
    }
    return json.dumps(claim).encode()


def headers(token: str, content_type: str = "") -> Dict[str, str]:
    """Headers of every request."""
    made = {"Authorization": f"Bearer {token}", PROTOCOL_HEADER: str(PROTOCOL_VERSION)}
    if content_type:
        made["Content-Type"] = content_type
    return made


def send_claim(assignment: Assignment, session_key: str) -> int:
    """Connect and send it. Returns the connection's descriptor, or -1 where that takes more than a moment."""
    try:
        address = parse_url(assignment.url.rstrip("/") + f"/{API_PATH}/runner/")
        _socket.inet_aton(address.host)  # Names take their time to be looked up.
    except (OSError, ValueError):
        return -1
    if address.secure:
        return -1
    body = claim_body(assignment, session_key)
    lines = [f"POST {address.path}claim HTTP/1.1", f"Host: {host_header(address)}"]
    given: Dict[str, Any] = headers(assignment.claim_token, "application/json")
    lines.extend(f"{name}: {value}" for name, value in given.items())
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(_PATIENCE_S)
        connection.connect((address.host, address.port))
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
    except OSError:
        connection.close()
        return -1
    fd: int = connection.detach()
    return fd
