"""This host's Docker Engine, asked over its socket: tokens are seen by nobody else on the host."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from cumulus_worker.setup.telling import Failed

_SOCKET = "/var/run/docker.sock"
_ANSWER_S = 60.0
_LOAD_S = 1800.0


class EngineSays(Failed):
    """The engine refuses, or is away (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Engine:
    """A few requests to the engine at a socket, each on a connection of its own."""

    def __init__(self, path: str = "") -> None:
        self._path = path or os.environ.get("CUMULUS_ENGINE_SOCKET") or _SOCKET

    def info(self) -> dict[str, Any]:
        """What ``docker info`` shows."""
        answer: dict[str, Any] = self._ask("GET", "/info")
        return answer

    def image(self, name: str) -> dict[str, Any]:
        """What is known of an image; empty where there is none of that name."""
        try:
            answer: dict[str, Any] = self._ask("GET", f"/images/{quote(name, safe='/:')}/json")
        except EngineSays as says:
            if says.status == 404:
                return {}
            raise
        return answer

    def pull(self, name: str) -> None:
        """Fetch an image from its registry. Raises ``EngineSays`` with what comes in between."""
        repository, _, tag = name.rpartition(":")
        query = urlencode({"fromImage": repository, "tag": tag})
        said = self._send("POST", f"/images/create?{query}", timeout_s=_LOAD_S)
        _raise_told(said)

    def load(self, pieces: Iterable[bytes]) -> None:
        """Take images out of what ``docker save`` wrote."""
        said = self._send("POST", "/images/load?quiet=1", pieces, "application/x-tar", timeout_s=_LOAD_S)
        _raise_told(said)

    def join(self, addresses: list[str], token: str, own_address: str) -> None:
        """``docker swarm join``."""
        body = {
            "ListenAddr": "0.0.0.0:2377",
            "AdvertiseAddr": own_address,
            "RemoteAddrs": addresses,
            "JoinToken": token,
        }
        self._ask("POST", "/swarm/join", body)

    def leave(self) -> None:
        """``docker swarm leave``."""
        self._ask("POST", "/swarm/leave?force=true")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, data, "application/json")
        return json.loads(answer) if answer.strip() else None

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        kind: str = "",
        timeout_s: float = _ANSWER_S,
    ) -> bytes:
        connection = _Connection(self._path, timeout_s)
        headers = {"Content-Type": kind} if kind and body is not None else {}
        try:
            connection.request(method, path, body, headers, encode_chunked=not isinstance(body, bytes | None))
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineSays(0, f"Docker does not answer: {error}") from None
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineSays(response.status, _message(answer))
        return answer


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("engine", timeout=timeout_s)
        self._socket_path = path

    def connect(self) -> None:
        """Connect to the socket instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace").strip()[:500]


def _raise_told(said: bytes) -> None:
    """An engine that has begun to answer tells a failure among the rest, a line of JSON each."""
    for line in said.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("error"):
            raise EngineSays(500, str(told["error"]))
