"""A relay small enough to be bent: it says what a test tells it, and breaks where a test wants it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "secret"
END_STATES = ("COMPLETED", "FAILED", "CANCELLED")
Event = dict[str, Any]


def state(name: str, **more: Any) -> Event:
    return {"type": "state", "state": name, **more}


def log(text: str, stream: str = "stdout") -> Event:
    return {"type": "log", "stream": stream, "text": text}


def result(value: Any = None, **roots: Any) -> Event:
    """A result event whose values are plain JSON atoms."""
    graph = {"version": 1, "nodes": [], "roots": {**roots, "@result": value}, "base": 0, "changed": []}
    return {"type": "result", "graph": graph, "has_result": True, "json": value}


def completed(value: Any = None, *outputs: Event, **roots: Any) -> list[Event]:
    """The events of a job that went well."""
    return [state("QUEUED"), state("RUNNING"), *outputs, result(value, **roots), state("COMPLETED")]


@dataclass
class FakeRelay:
    """What it holds and what it was asked. Change ``jobs`` and the switches as the test goes."""

    url: str = ""
    token: str = TOKEN
    protocol: int = 1
    relay_id: str = "relay-1"
    #: Job id -> its events, numbered from 1 by their place.
    jobs: dict[str, list[Event]] = field(default_factory=dict)
    #: Events of the next jobs submitted, first come first served; then ``default``.
    next_jobs: list[list[Event]] = field(default_factory=list)
    default: list[Event] = field(default_factory=lambda: completed(42))
    #: How many events a stream carries before its connection is cut; ``None``: all.
    cut_after: int | None = None
    #: Called with the number of streams opened so far, before one is answered.
    on_stream: Callable[[int], None] | None = None
    #: Called with the id of a job that was cancelled, once that is answered.
    on_cancel: Callable[[str], None] | None = None
    #: Answer submissions with this error body and status.
    refuse: tuple[int, dict[str, Any]] | None = None
    #: Drop this many submissions without an answer, after taking them.
    swallow: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    specs: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    streams: int = 0
    connections: int = 0
    #: Set to let streams that wait for more events look again.
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, job_id: str, *events: Event) -> None:
        """Append events to a job, and wake who follows it."""
        with self.changed:
            self.jobs.setdefault(job_id, []).extend(events)
            self.changed.notify_all()

    def view(self, job_id: str) -> dict[str, Any]:
        events = self.jobs[job_id]
        states = [event["state"] for event in events if event["type"] == "state"]
        return {
            "id": job_id,
            "state": states[-1] if states else "QUEUED",
            "name": f"name-of-{job_id}",
            "owner": "me",
            "created_ms": 0,
            "attempt": 1,
            "resources": {"gpu": None, "cpu": None, "memory_mib": None, "duration_s": 3600},
            "last_seq": len(events),
            "something_new": True,
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    relay: FakeRelay

    def setup(self) -> None:
        super().setup()
        self.relay.connections += 1

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        path, query = self._asked()
        relay = self.relay
        if not self._authenticated():
            return
        match path.split("/"):
            case ["health"]:
                body = {
                    "status": "ok",
                    "version": "9",
                    "protocol": relay.protocol,
                    "relay_id": relay.relay_id,
                }
                self._json(
                    200, {**body, "pythons": [], "executors": ["process"], "bundle_limit_bytes": 10**9}
                )
            case ["jobs"]:
                self._json(200, {"jobs": [relay.view(job) for job in relay.jobs], "next_cursor": None})
            case ["jobs", job_id] if job_id in relay.jobs:
                self._json(200, relay.view(job_id))
            case ["jobs", job_id, "events"] if job_id in relay.jobs:
                self._stream(job_id, int(query["after"][0]), 200, {})
            case _:
                self._json(404, {"code": "NOT_FOUND", "message": f"no {path}", "next": "", "job_id": None})

    def do_POST(self) -> None:
        path, _ = self._asked()
        relay = self.relay
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._authenticated():
            return
        if relay.refuse:
            self._json(*relay.refuse)
            return
        if path == "workers/tokens":
            command = "curl ... | bash -s -- --token T"
            token = {"token": "T", "expires_ms": 1_000, "command": command, "note": "once"}
            self._json(200, {**token, "something_new": True})
            return
        key = self.headers["Idempotency-Key"]
        if key not in relay.keys:
            relay.specs.append(body)
            relay.jobs[f"job{len(relay.specs)}"] = list(
                relay.next_jobs.pop(0) if relay.next_jobs else relay.default
            )
        relay.keys.append(key)
        if relay.swallow:
            relay.swallow -= 1
            self.close_connection = True
            return
        job_id = f"job{len(relay.specs)}"
        headers = {"Location": f"/cumulus/api/v1/jobs/{job_id}"}
        if "text/event-stream" in self.headers.get("Accept", ""):
            self._stream(job_id, 0, 201, headers)
        else:
            self._json(201, relay.view(job_id), headers)

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        job_id = path.rpartition("/")[2]
        self.relay.cancelled.append(job_id)
        self._json(200, self.relay.view(job_id))
        if self.relay.on_cancel:
            self.relay.on_cancel(job_id)

    def do_PUT(self) -> None:
        self._asked()
        self.relay.specs.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._json(200, {})

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/cumulus/api/v1/")
        self.relay.asked.append((self.command, path))
        return path, parse_qs(parts.query)

    def _authenticated(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {self.relay.token}":
            return True
        self._json(401, {"code": "UNAUTHENTICATED", "message": "wrong token", "next": "", "job_id": None})
        return False

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cumulus-Protocol", str(self.relay.protocol))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, job_id: str, after: int, status: int, headers: dict[str, str]) -> None:
        relay = self.relay
        relay.streams += 1
        if relay.on_stream:
            relay.on_stream(relay.streams)
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for count, (seq, event) in enumerate(self._events(job_id, after)):
                if relay.cut_after is not None and count >= relay.cut_after:
                    self.close_connection = True
                    return
                data = json.dumps({"seq": seq, "time_ms": 0, **event}, ensure_ascii=False)
                last = event.get("state") in END_STATES
                self._chunk(f"id: {seq}\nevent: {event['type']}\ndata: {data}\n\n".encode(), last)
        except OSError:
            self.close_connection = True

    def _events(self, job_id: str, after: int) -> Iterator[tuple[int, Event]]:
        seq = after
        while True:
            with self.relay.changed:
                events = self.relay.jobs[job_id]
                while len(events) <= seq:
                    self.relay.changed.wait()
            yield seq + 1, events[seq]
            if events[seq].get("state") in END_STATES:
                return
            seq += 1

    def _chunk(self, data: bytes, last: bool) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + (b"\r\n0\r\n\r\n" if last else b"\r\n"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def fake_relay(port: int = 0, relay: FakeRelay | None = None) -> Iterator[FakeRelay]:
    """A fake relay that listens while the block runs."""
    relay = relay or FakeRelay()
    handler = type("Handler", (_Handler,), {"relay": relay})
    server = _Server(("127.0.0.1", port), handler)
    relay.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
