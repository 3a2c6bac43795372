"""A socket in front of a real engine's, to take the engine away and bring it back."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class EngineGate:
    """Passes everything on to the engine while it is open."""

    def __init__(self, path: Path, engine: str) -> None:
        """``engine`` is the real one's address."""
        self.path = path
        self._engine = engine.removeprefix("unix://")
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []
        self._accepting: threading.Thread | None = None

    @property
    def host(self) -> str:
        """Its address, as DOCKER_HOST has it."""
        return f"unix://{self.path}"

    def open(self) -> None:
        """The engine is there."""
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._accepting = self._run(self._accept, self._listener)

    def cut(self, *, stale: bool = False) -> None:
        """The engine has gone, and every connection with it; ``stale``: its socket's file is still there."""
        if self._listener is not None and self._accepting is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join()  # so that no connection comes behind those that are hung up on
            self._listener.close()
            self._listener = None
        if not stale:
            self.path.unlink(missing_ok=True)
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in ends:
            end.close()
        self._threads.clear()

    def _run(self, fn: object, *args: object) -> threading.Thread:
        thread = threading.Thread(target=fn, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                theirs, _ = listener.accept()
            except OSError:
                return
            ours = socket.socket(socket.AF_UNIX)
            ours.connect(self._engine)
            self._ends += [theirs, ours]
            self._run(self._pass, theirs, ours)
            self._run(self._pass, ours, theirs)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
