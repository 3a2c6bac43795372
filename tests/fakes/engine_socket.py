"""A Docker Engine's socket that answers what a test lets it answer."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass
class EngineSocket:
    """What it answers, by method and path, and what it was asked."""

    path: Path
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def engine_socket(path: Path) -> Iterator[EngineSocket]:
    """One that listens there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            self._answer()

        def do_POST(self) -> None:
            """Answer."""
            self._answer()

        def _answer(self) -> None:
            asked = f"{self.command} {self.path}"
            engine.asked.append((asked, self._body()))
            status, answer = engine.answers.get(asked, (404, {"message": "no such thing"}))
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _body(self) -> bytes:
            if self.headers["Transfer-Encoding"] != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def address_string(self) -> str:
            """A socket's other end has none."""
            return "engine"

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    engine = EngineSocket(path)
    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
