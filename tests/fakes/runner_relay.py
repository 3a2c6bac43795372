"""A relay that knows the runner's routes and nothing else, in a thread."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from cumulus_jupyter.protocol import API_PATH, PROTOCOL_HEADER
from tests.logs import joined
from tests.patience import LIMIT_S

ROUTES = f"/{API_PATH}/runner/"


class FakeJob:
    """One attempt, as the relay holds it."""

    def __init__(self, program: dict[str, Any], **options: Any) -> None:
        self.id: str = options.pop("job_id", "job-" + os.urandom(4).hex())
        self.attempt: int = options.pop("attempt", 1)
        self.claim_token = os.urandom(16).hex()
        self.bundle: bytes = options.pop("bundle", b"")
        self.claimed = {
            "program": {"kind": "cell", "title": "Cell In[1]", **program},
            "requirements": options.pop("requirements", []),
            "env": options.pop("env", {}),
            "bundle_bytes": len(self.bundle),
            "duration_s": options.pop("duration_s", 60.0),
            "cancel_requested": options.pop("cancel_requested", False),
        }
        assert not options, options
        self.session_key = ""
        self.claims = 0
        self.events: list[dict[str, Any]] = []
        self.outcome: dict[str, Any] | None = None
        self.values: dict[str, bytes] = {}
        self.cancel = threading.Event()
        self.changed = threading.Condition()
        self.fenced = False

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = LIMIT_S) -> None:
        """Wait until something the runner reports makes ``condition`` true."""
        with self.changed:
            if not self.changed.wait_for(condition, timeout_s):
                raise TimeoutError(f"not so after {timeout_s} s: {self.events[-5:]} {self.outcome}")

    def wait_for_end(self, timeout_s: float = LIMIT_S) -> dict[str, Any]:
        """Wait for the outcome."""
        self.wait_for(lambda: self.outcome is not None, timeout_s)
        assert self.outcome is not None
        return self.outcome

    def wait_for_text(self, text: str, timeout_s: float = LIMIT_S) -> None:
        """Wait until stdout has ``text``."""
        self.wait_for(lambda: text in self.text("stdout"), timeout_s)

    def text(self, stream: str) -> str:
        """Everything that came on a stream."""
        return "".join(e["text"] for e in self.events if e["type"] == "log" and e["stream"] == stream)

    def said(self) -> list[tuple[str, str]]:
        """The logs as (stream, text), joined where the stream stays the same."""
        return [(event["stream"], event["text"]) for event in joined(self.of_type("log"))]

    def kinds(self) -> list[str]:
        """The types of the events in order, a stream's neighbouring logs as one."""
        return [event["type"] for event in joined(self.events)]

    def of_type(self, *types: str) -> list[dict[str, Any]]:
        """The events of these types."""
        return [event for event in self.events if event["type"] in types]

    @property
    def result(self) -> dict[str, Any]:
        """The one Result."""
        (result,) = self.of_type("result")
        return result

    @property
    def error(self) -> dict[str, Any]:
        """The one Error."""
        (error,) = self.of_type("error")
        return error


class FakeRelay:
    """Serves the runner's routes on a local port; ``host`` is this machine's address there, ``tls`` encrypts.

    ``before`` is called with method, route and job before each request is handled; it may return
    a status to answer with instead, or "drop" to hang up before, or "lose" to hang up after it.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.before: Callable[[str, str, FakeJob | None], int | str | None] = lambda *_: None
        self._connections: list[socket.socket] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def setup(self) -> None:
                super().setup()
                relay._connections.append(self.connection)

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                relay._handle(self, "POST")

            def do_GET(self) -> None:
                relay._handle(self, "GET")

            def do_PUT(self) -> None:
                relay._handle(self, "PUT")

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A runner that hangs up is no news."""

        self._server = Server((host, port), Handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self._scheme}://{self._server.server_address[0]}:{self.port}/"

    def add(self, job: FakeJob) -> FakeJob:
        """Know a job."""
        self.jobs[job.id] = job
        return job

    def stop(self) -> None:
        """Hang up on everybody and stop listening."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self._thread.join()

    def _handle(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        route = unquote(handler.path[len(ROUTES) :])
        token = (handler.headers.get("Authorization") or "").removeprefix("Bearer ")
        job = next((j for j in list(self.jobs.values()) if token in (j.claim_token, j.session_key)), None)
        instead = self.before(method, route, job)
        if instead == "drop":
            handler.close_connection = True
            return
        if isinstance(instead, int):
            self._answer(handler, instead, b'{"code":"X","message":"as asked"}')
            return
        if job is None or handler.headers.get(PROTOCOL_HEADER) != "1":
            self._answer(handler, 401, b'{"code":"UNAUTHENTICATED","message":"who are you"}')
            return
        with job.changed:
            status, answer = self._answer_of(method, route, job, body)
            job.changed.notify_all()
        if route == "control":
            self._stream(handler, job)
        elif instead == "lose":
            handler.close_connection = True
        else:
            self._answer(handler, status, answer)

    def _answer_of(self, method: str, route: str, job: FakeJob, body: bytes) -> tuple[int, bytes]:
        if job.fenced:
            return 409, b'{"code":"FAILED_PRECONDITION","message":"fenced"}'
        if route == "claim":
            claim = json.loads(body)
            if job.session_key not in ("", claim["session_key"]):
                return 409, b'{"code":"FAILED_PRECONDITION","message":"claimed by another"}'
            job.session_key = claim["session_key"]
            job.claims += 1
            return 200, json.dumps(job.claimed).encode()
        if route == "events":
            return 200, json.dumps(self._store(job, json.loads(body))).encode()
        if route == "bundle":
            return 200, job.bundle
        if route.startswith("values/") and method == "PUT":
            job.values[route[7:]] = body
            return 204, b""
        if route.startswith("values/"):
            job_id, name = route[7:].split("/", 1)
            return (200, self.jobs[job_id].values[name]) if job_id in self.jobs else (404, b"{}")
        return (200, b"") if route == "control" else (404, b"{}")

    def _store(self, job: FakeJob, batch: dict[str, Any]) -> dict[str, Any]:
        skip = len(job.events) + 1 - batch["first"]
        assert skip >= 0, "a gap"
        job.events += batch["events"][skip:]
        if batch.get("outcome") is not None and job.outcome is None:
            job.outcome = batch["outcome"]
        return {"through": len(job.events), "cancel_requested": job.cancel.is_set()}

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\n{PROTOCOL_HEADER}: 1\r\nContent-Length: {len(body)}\r\n\r\n"
        handler.wfile.write(head.encode() + (b"" if status == 204 else body))
        handler.wfile.flush()

    def _stream(self, handler: BaseHTTPRequestHandler, job: FakeJob) -> None:
        head = f"HTTP/1.1 200 OK\r\n{PROTOCOL_HEADER}: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        handler.wfile.write(head.encode() + b"3\r\n:\n\n\r\n")
        handler.wfile.flush()
        while not job.cancel.wait(0.02) and job.outcome is None:
            pass
        if job.cancel.is_set():
            said = b"event: cancel\ndata: {}\n\n"
            handler.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said))
            handler.wfile.flush()
        handler.close_connection = True
