"""What the Docker Engine of this host says of itself. Others than root ask the daemon for it."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

SOCKET = "/var/run/docker.sock"
#: The daemon answers nobody else meanwhile.
_TIMEOUT_S = 2.0
NOTHING: dict[str, Any] = {"version": "", "nvidia": False, "swarm": "", "node_id": ""}


def facts(path: str = SOCKET) -> dict[str, Any]:
    """Version, whether containers can be given NVIDIA's GPUs, and the state in the Swarm.

    Raises ``PermissionError`` where this user may not ask; an engine that does not answer is ``NOTHING``.
    """
    connection = _Local(path)
    try:
        connection.request("GET", "/info")
        info = json.loads(connection.getresponse().read())
        swarm = info.get("Swarm") or {}
        gpus = [device.get("ID", "") for device in info.get("DiscoveredDevices") or []]
        return {
            "version": str(info.get("ServerVersion", "")),
            "nvidia": "nvidia" in (info.get("Runtimes") or {})
            or any("nvidia.com/gpu" in gpu for gpu in gpus),
            "swarm": str(swarm.get("LocalNodeState", "")),
            "node_id": str(swarm.get("NodeID", "")),
        }
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return dict(NOTHING)
    finally:
        connection.close()


class _Local(http.client.HTTPConnection):
    """HTTP over a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_TIMEOUT_S)
        self.sock = connection
        connection.connect(self._path)
