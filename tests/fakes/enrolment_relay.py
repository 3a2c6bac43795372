"""A relay's side of the enrolment that says what a test lets it say, behind TLS with a key to pin."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cumulus_server.door.certificate import pin_of
from tests.fakes.certificates import certificate

_API = "/cumulus/api/v1/"


@dataclass
class EnrolmentRelay:
    """What it answers, by path below the API, and what it was asked."""

    url: str
    pin: str
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    #: Path, bearer and body of each request.
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def enrolment_relay(folder: Path) -> Iterator[EnrolmentRelay]:
    """One that listens on this machine."""
    made = certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer without a body."""
            self._answer(None)

        def do_POST(self) -> None:
            """Answer to a body of JSON."""
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            path = self.path.removeprefix(_API)
            relay.asked.append((path, self.headers["Authorization"].removeprefix("Bearer "), body))
            status, answer = relay.answers.get(path, (404, {"message": "no such thing", "next": "Stop."}))
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = made.context.wrap_socket(server.socket, server_side=True)
    relay = EnrolmentRelay(f"https://127.0.0.1:{server.server_port}", pin_of(made.pem))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
