"""Requests: connections are kept, dead ones replaced, refusals are exceptions."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cumulus_jupyter.client.http import Endpoint, Http
from cumulus_jupyter.client.response import ConnectionLost
from cumulus_jupyter.client.submission import JobOptions, make_submission, submit
from cumulus_jupyter.protocol.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from cumulus_jupyter.protocol.program import Program
from cumulus_server.door.certificate import Certificate
from tests.fakes.client_relay import TOKEN, FakeRelay, fake_relay

#: Where nobody listens, and nobody else's test will.
NOBODY = "http://127.0.0.1:1/"


def test_one_connection_serves_many_requests(relay: FakeRelay, http: Http) -> None:
    for _ in range(5):
        assert http.call("GET", "health")["status"] == "ok"
    assert relay.connections == 1


def test_a_stream_that_ended_leaves_its_connection_for_the_next_job(relay: FakeRelay, http: Http) -> None:
    from cumulus_jupyter.client.stream import EventStream

    for _ in range(3):
        job_id, opened = submit(http, make_submission(Program("cell"), JobOptions()))
        assert len(EventStream(http, job_id, opened=opened).all()) == 4
    assert relay.connections == 1


def test_a_kept_connection_that_died_is_replaced(relay: FakeRelay, http: Http) -> None:
    http.call("GET", "health")
    port = http.endpoint.address.port
    kept = http.endpoint._idle[0]
    kept._socket.shutdown(2)
    assert http.call("GET", "health")["relay_id"] == "relay-1"
    assert http.endpoint.address.port == port


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_ARGUMENT", InvalidArgument),
        (404, "NOT_FOUND", NotFound),
        (409, "FAILED_PRECONDITION", FailedPrecondition),
        (503, "RESOURCE_EXHAUSTED", ResourceExhausted),
    ],
)
def test_a_refusal_is_the_exception_of_its_code(
    relay: FakeRelay, http: Http, status: int, code: str, kind: type[Exception]
) -> None:
    relay.refuse = (status, {"code": code, "message": "no", "next": "do that", "job_id": None})
    with pytest.raises(kind, match=r"no\. do that"):
        submit(http, make_submission(Program("cell"), JobOptions()))


def test_a_wrong_token_says_so(relay: FakeRelay) -> None:
    endpoint = Endpoint(relay.url, "wrong")
    with pytest.raises(Unauthenticated):
        Http(lambda lost: endpoint).call("GET", "health")


@pytest.mark.parametrize("status", [200, 302])
def test_a_web_page_is_no_relay(status: int) -> None:
    with web_page(status) as url:
        endpoint = Endpoint(url, TOKEN)
        with pytest.raises(NotFound, match="no relay at"):
            Http(lambda lost: endpoint).call("GET", "health")


def test_a_certificate_counts_only_once_it_is_vouched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUMULUS_CA_BUNDLE", raising=False)
    certificate = Certificate(tmp_path, "127.0.0.1")
    (tmp_path / "ca.pem").write_text(certificate.ensure())
    with web_page(404, certificate.context()) as url:
        endpoint = Endpoint(url, TOKEN)
        http = Http(lambda lost: endpoint)
        with pytest.raises(FailedPrecondition, match=r"not trusted.*CUMULUS_CA_BUNDLE"):
            http.call("GET", "health")
        monkeypatch.setenv("CUMULUS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
        with pytest.raises(InvalidArgument, match=r"nowhere\.pem.*No such file"):
            http.call("GET", "health")
        monkeypatch.setenv("CUMULUS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        with pytest.raises(NotFound):
            http.call("GET", "health")
        http.close()


@contextmanager
def web_page(status: int, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers everything with the same page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", "/login")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

        def finish_request(self, request: Any, client_address: Any) -> None:
            secured = tls.wrap_socket(request, server_side=True) if tls else request
            super().finish_request(secured, client_address)
            secured.close()

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_relay_that_is_away_is_unavailable() -> None:
    endpoint = Endpoint(NOBODY, TOKEN)
    with pytest.raises(Unavailable, match="does not answer"):
        Http(lambda lost: endpoint).call("GET", "health", away_limit_s=0.1)


def test_a_restarted_relay_is_asked_with_its_new_token(relay: FakeRelay) -> None:
    endpoints = [Endpoint(relay.url, "old"), Endpoint(relay.url, TOKEN)]
    http = Http(lambda lost: endpoints[0] if lost is None else endpoints[1])
    assert http.call("GET", "health")["status"] == "ok"


def test_a_relay_that_moved_is_asked_at_its_new_address(relay: FakeRelay) -> None:
    old = Endpoint(NOBODY, TOKEN)
    new = Endpoint(relay.url, TOKEN)
    http = Http(lambda lost: old if lost is None else new)
    assert http.call("GET", "health")["status"] == "ok"


def test_a_submission_whose_answer_was_lost_is_asked_again_with_the_same_key(
    relay: FakeRelay, http: Http
) -> None:
    relay.swallow = 2
    job_id, _ = submit(http, make_submission(Program("cell"), JobOptions()), events=False)
    assert job_id == "job1"
    assert len(relay.keys) == 3 and len(set(relay.keys)) == 1 and len(relay.specs) == 1


def test_something_that_is_no_relay_is_named_as_such() -> None:
    with fake_relay() as relay:
        endpoint = Endpoint(relay.url + "elsewhere/", TOKEN)
        with pytest.raises(NotFound):
            Http(lambda lost: endpoint).call("GET", "health")


def test_errors_of_the_network_are_told_from_refusals(relay: FakeRelay) -> None:
    endpoint = Endpoint(NOBODY, TOKEN)
    with pytest.raises(OSError):
        endpoint.open("GET", "health")
    assert issubclass(ConnectionLost, OSError)
