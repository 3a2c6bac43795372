"""Where the Docker Engine is."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

USUAL_SOCKET = "/var/run/docker.sock"


def resolve(host: str) -> str:
    """The address meant: the one given, else DOCKER_HOST's, else the usual socket's.

    Of an engine without root, the usual socket is the user's own, where the system has none.
    """
    given = host.strip() or os.environ.get("DOCKER_HOST", "").strip()
    if given:
        return f"unix://{given}" if given.startswith("/") else given
    own = Path(os.environ.get("XDG_RUNTIME_DIR", ""), "docker.sock")
    if not os.path.exists(USUAL_SOCKET) and own.is_absolute() and own.exists():
        return f"unix://{own}"
    return f"unix://{USUAL_SOCKET}"


def knock(host: str) -> None:
    """Raise the ``OSError`` of a socket's file that cannot be connected to; docker-py leaves its own open."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect("/" + host.removeprefix("unix://").lstrip("/"))


def tls_of(host: str) -> dict[str, Any]:
    """The arguments of a ``DockerClient`` for this address, with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH
    heeded as the command ``docker`` does."""
    if not host.startswith("tcp://"):
        return {"base_url": host}
    from docker.utils import kwargs_from_env

    return dict(kwargs_from_env({**os.environ, "DOCKER_HOST": host}))
