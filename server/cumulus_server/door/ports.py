"""The ports of the runners' listeners: chosen once, kept, and the same after a restart."""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import socket
from pathlib import Path

from cumulus_jupyter.protocol.errors import Unavailable

log = logging.getLogger(__name__)

#: Below what systems give to outgoing connections, so that a port is free again after a restart.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 20
_BACKLOG = 128


class Ports:
    """Binds listeners. A runner that knows an address must find the next relay there as well."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "runner-ports.json"

    def bind(self, name: str, host: str, fixed: int = 0) -> socket.socket:
        """A socket that listens on ``host``, on the port of this ``name`` or a ``fixed`` one. Blocks.

        Raises ``Unavailable`` saying what to set.
        """
        if fixed:
            return self._bind(host, fixed)
        kept = self._kept().get(name)
        if kept is not None:
            try:
                return self._bind(host, kept)
            except PortTaken:
                log.warning(
                    "The port %d for runners is taken by another process: another one is used, and"
                    " runners that were started before cannot reach this relay",
                    kept,
                )
        for _ in range(_TRIES):
            port = _FIRST + secrets.randbelow(_LAST - _FIRST)
            try:
                listening = self._bind(host, port)
            except PortTaken:
                continue
            self._keep(name, port)
            return listening
        raise Unavailable(f"No port is free on {host}", next="Set Cumulus.runner_port.")

    def _bind(self, host: str, port: int) -> socket.socket:
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"The port {port} of {host} is taken by another process",
                    next="Free it, or set another Cumulus.runner_port.",
                ) from None
            if error.errno == errno.EACCES:
                raise Unavailable(
                    f"The port {port} may not be listened on", next="Set a Cumulus.runner_port over 1023."
                ) from None
            raise Unavailable(
                f"{host} is no address of this machine, so containers cannot reach the relay there"
                f" ({error.strerror or error})",
                next="Set Cumulus.runner_host to an address of this machine that they can reach"
                " (host.docker.internal with Docker Desktop), or Cumulus.runner_url to where else they"
                " reach it.",
            ) from None

    def _kept(self) -> dict[str, int]:
        try:
            kept = json.loads(self._file.read_text("ascii"))
        except (OSError, ValueError):
            return {}
        entries = kept.items() if isinstance(kept, dict) else ()
        return {name: port for name, port in entries if isinstance(port, int) and 0 < port < 1 << 16}

    def _keep(self, name: str, port: int) -> None:
        fresh = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        fresh.write_text(json.dumps({**self._kept(), name: port}))
        fresh.replace(self._file)


def _listen(host: str, port: int) -> socket.socket:
    """A socket on one address. Raises ``OSError``."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


class PortTaken(Unavailable):
    """Another process listens there."""
