"""Asks the daemon."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Sequence
from typing import Any

from cumulus_worker.refusal import UNAVAILABLE, Refusal

#: Longer than any answer takes, a slow disk's too.
_TIMEOUT_S = 20.0
_START_IT = "Start it: systemctl start cumulus-chronosd (or: service cumulus-chronosd start); then ask again"


class Client:
    """One connection, made when it is needed and made again after the daemon has been started again."""

    def __init__(self, path: str, timeout_s: float = _TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._pending = b""

    def ask(self, argv: Sequence[str]) -> dict[str, Any]:
        """The daemon's ``{"exit": ..., "answer": {...}}`` to a command line, its absence too."""
        line = json.dumps({"argv": list(argv)}).encode() + b"\n"
        try:
            return self._asked(line, again=_may_be_asked_twice(argv))
        except Refusal as refusal:
            return {"exit": 1, "answer": refusal.answer()}

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._pending = b""

    def _asked(self, line: bytes, again: bool) -> dict[str, Any]:
        old = self._socket is not None
        try:
            try:
                self._connected().sendall(line)
            except (BrokenPipeError, ConnectionResetError):
                # The daemon that this was connected to is gone, and has not seen the line.
                self.close()
                self._connected().sendall(line)
            answer: dict[str, Any] = json.loads(self._line())
            return answer
        except (OSError, ValueError) as error:
            self.close()
            if again and old and not isinstance(error, TimeoutError):
                return self._asked(line, again=False)
            if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
                raise Refusal(UNAVAILABLE, "chronosd does not run here", next=_START_IT) from None
            if isinstance(error, PermissionError):
                raise Refusal(
                    UNAVAILABLE,
                    f"This user may not use {self._path}",
                    next="Run this as root, or add the user to the group cumulus",
                ) from None
            raise Refusal(
                UNAVAILABLE,
                f"chronosd ended or hangs while it was asked ({error or type(error).__name__})",
                next="Look at what it did: chronos_cli list; then ask again",
            ) from None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self._timeout_s)
            with contextlib.ExitStack() as stack:
                stack.callback(connection.close)
                connection.connect(self._path)
                stack.pop_all()
            self._socket = connection
        return self._socket

    def _line(self) -> bytes:
        while b"\n" not in self._pending:
            piece = self._connected().recv(65536)
            if not piece:
                raise ConnectionError("it has hung up")
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def _may_be_asked_twice(argv: Sequence[str]) -> bool:
    """Whether the second of two askings changes nothing: a create only by its key."""
    return argv[:1] != ["create"] or any(word.startswith("--key") for word in argv)
