"""A Jupyter server that passes calls on to a relay in another process."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.homes import wait_for
from tests.integration.relay.test_auth import USER
from tests.patience import LIMIT_S

from .servers import API, JUPYTER_TOKEN, RELAY_TOKEN, Server, jupyter_server, relay_server, running

SSE = "text/event-stream"
UPLOAD_BYTES = 50 << 20
#: What a server may take for a call, however large its body.
MORE_MIB = 16


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The relay elsewhere."""
    return relay_server(tmp_path_factory.mktemp("relay"))


@pytest.fixture(scope="module")
def jupyter(relay: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter server that passes calls on to it."""
    folder = tmp_path_factory.mktemp("jupyter")
    made = jupyter_server(folder, f"--Cumulus.relay_url={relay.url}")
    with running(relay, made):
        assert wait_for(lambda: made.ask("GET", "/relay").json["healthy"], LIMIT_S)
        yield made


def cell(source: str) -> dict[str, Any]:
    return {"program": {"kind": "cell", "source": source}}


def events(stream: HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of each event."""
    name = ""
    while line := stream.readline():
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def test_a_job_s_events_come_through_from_its_submission_to_its_end(jupyter: Server, relay: Server) -> None:
    with jupyter.stream("POST", "/jobs", cell("print('from elsewhere')"), Accept=SSE) as stream:
        assert stream.status == 201
        assert SSE in stream.headers["Content-Type"]
        assert stream.headers["X-Accel-Buffering"] == "no"
        location = stream.headers["Location"]
        told = list(events(stream))
    assert [body["text"] for name, body in told if name == "log"] == ["from elsewhere\n"]
    assert location.startswith(f"{API}/jobs/")
    job_id = location.rpartition("/")[2]
    for server in (jupyter, relay):
        assert server.ask("GET", f"/jobs/{job_id}").json["state"] == "COMPLETED"
    assert jupyter.ask("GET", "/health").json == relay.ask("GET", "/health").json
    refused = jupyter.ask("GET", "/jobs/nothing?limit=1")
    assert (refused.status, refused.json["code"]) == (404, "NOT_FOUND")


def test_the_page_learns_where_the_relay_is(jupyter: Server, relay: Server) -> None:
    place = jupyter.ask("GET", "/relay").json
    assert (place["kind"], place["url"], place["healthy"]) == ("elsewhere", relay.url, True)
    assert place["relay_id"] == relay.ask("GET", "/relay").json["relay_id"]
    with jupyter.stream("GET", "/watch", Accept=SSE) as stream:
        told = events(stream)
        first = {name: body for _, (name, body) in zip(range(3), told, strict=False)}
    assert set(first) == {"relay", "jobs", "workers"}
    assert (first["relay"]["kind"], first["relay"]["url"]) == ("elsewhere", relay.url)


def test_an_event_is_passed_on_at_once(jupyter: Server, relay: Server, tmp_path: Path) -> None:
    """Each line is answered from here; without the answer, the job prints no more."""
    wait = f"while not os.path.exists(f'{tmp_path}/{{n}}'): time.sleep(0.002)"
    source = f"import os, time\nfor n in range(20):\n    print(n, flush=True)\n    {wait}"
    job_id = relay.ask("POST", "/jobs", cell(source)).json["id"]
    said = ""
    with jupyter.stream("GET", f"/jobs/{job_id}/events", Accept=SSE) as stream:
        for name, body in events(stream):
            said += body["text"] if name == "log" else ""
            if said.endswith("\n"):
                (tmp_path / said.split()[-1]).touch()
    assert said.split() == [str(n) for n in range(20)]


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_upload_is_not_held_in_memory(jupyter: Server, announced: bool) -> None:
    before = jupyter.peak_memory_mib()
    start = (
        b'--b\r\nContent-Disposition: form-data; name="spec"\r\n\r\n%s\r\n' % json.dumps(cell("1")).encode()
    )
    start += b'--b\r\nContent-Disposition: form-data; name="bundle"; filename="b"\r\n\r\n'
    end = b"\r\n--b--\r\n"
    piece = b"x" * (1 << 20)
    body = [start, *[piece] * (UPLOAD_BYTES >> 20), end]
    length = {"Content_Length": str(sum(map(len, body)))} if announced else {"Transfer_Encoding": "chunked"}
    sent = body if announced else [b"%x\r\n%s\r\n" % (len(p), p) for p in body] + [b"0\r\n\r\n"]
    kind = "multipart/form-data; boundary=b"
    answer = jupyter.ask("POST", "/jobs", iter(sent), Content_Type=kind, **length)
    assert answer.status == 400, answer.body  # As what was sent is no bundle: all of it has been looked at.
    assert jupyter.peak_memory_mib() - before < MORE_MIB


def test_a_relay_that_does_not_read_keeps_the_sender_waiting(jupyter: Server, relay: Server) -> None:
    before = jupyter.peak_memory_mib()
    head = (
        f"POST {API}/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {JUPYTER_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", jupyter.port), timeout=1) as sender:
        sender.sendall(head.encode())
        assert wait_for(lambda: jupyter.calls_to(relay) == 1, LIMIT_S)
        psutil.Process(relay.pid).suspend()
        try:
            with pytest.raises(TimeoutError):
                sender.sendall(b" " * UPLOAD_BYTES)
        finally:
            psutil.Process(relay.pid).resume()
    assert jupyter.peak_memory_mib() - before < MORE_MIB
    assert wait_for(lambda: jupyter.calls_to(relay) == 0, LIMIT_S)


def test_a_large_value_is_read_no_faster_than_it_is_taken(jupyter: Server, relay: Server) -> None:
    source = f"big = bytearray({UPLOAD_BYTES})"
    program = {**cell(source)["program"], "outputs": ["big"]}
    done = jupyter.ask("POST", "/jobs", {"program": program}, Accept=SSE)
    assert done.status == 201
    job = relay.ask("GET", "/jobs?limit=1").json["jobs"][0]
    assert job["state"] == "COMPLETED", job
    before = jupyter.peak_memory_mib()
    for name in job["values"]:
        with jupyter.stream("GET", f"/jobs/{job['id']}/values/{name}") as stream:
            assert int(stream.headers["Content-Length"]) > 0
            taken = 0
            while piece := stream.read(1 << 16):
                taken += len(piece)
        assert taken == int(stream.headers["Content-Length"])
    assert jupyter.peak_memory_mib() - before < MORE_MIB


def test_a_page_that_goes_away_ends_the_call_at_the_relay(jupyter: Server, relay: Server) -> None:
    assert wait_for(lambda: jupyter.calls_to(relay) == 0, LIMIT_S)
    with jupyter.stream("GET", "/watch", Accept=SSE) as stream:
        stream.readline()
        assert jupyter.calls_to(relay) == 1
    assert wait_for(lambda: jupyter.calls_to(relay) == 0, LIMIT_S)


def asked(server: Server, head: str, rest: bytes = b"") -> bytes:
    """The first line of what is answered to a request written by hand."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as caller:
        start = f"{head} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        caller.sendall(start.encode() + rest)
        return caller.makefile("rb").readline()


@pytest.mark.parametrize("length", ["2\r\nContent-Length: 2", "-2", "9" * 5000])
def test_a_length_that_is_none_is_refused_and_leaves_no_call(
    jupyter: Server, relay: Server, length: str
) -> None:
    assert wait_for(lambda: jupyter.calls_to(relay) == 0, LIMIT_S)
    assert b" 400 " in asked(jupyter, f"POST {API}/jobs", f"Content-Length: {length}\r\n\r\n{{}}".encode())
    assert jupyter.calls_to(relay) == 0


def test_a_caller_that_leaves_is_not_logged_as_a_relay_that_is_away(jupyter: Server, relay: Server) -> None:
    before = len(jupyter.said())
    body = json.dumps(cell("1")).encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", jupyter.port), timeout=LIMIT_S) as caller:
            head = f"POST {API}/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {jupyter.token}\r\n"
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            caller.sendall(head.encode() + kind.encode() + body)
    assert wait_for(lambda: jupyter.calls_to(relay) == 0, LIMIT_S)
    assert "does not answer" not in jupyter.said()[before:]


def test_nobody_gets_past_the_jupyter_server_without_its_token(jupyter: Server, relay: Server) -> None:
    assert wait_for(lambda: jupyter.calls_to(relay) == 0, LIMIT_S)
    for method, path in USER:
        for token in ("wrong", RELAY_TOKEN):
            answer = jupyter.ask(method, path, b"{}", token=token)
            assert (answer.status, answer.json["code"]) == (401, "UNAUTHENTICATED"), (method, path)
    with jupyter.stream("GET", f"/health?token={JUPYTER_TOKEN}", token="") as answer:
        assert answer.status == 200
        cookie = answer.headers["Set-Cookie"].split(";")[0]
    without_xsrf = jupyter.ask("POST", "/jobs", cell("1"), token="", Cookie=cookie)
    assert without_xsrf.status in (401, 403)
    assert jupyter.ask("GET", "/nothing").status == 404
    assert jupyter.ask("GET", "/runner/control").status == 404
    assert jupyter.ask("GET", "/jobs/..%2F..%2F..%2Fapi/events").status == 404
    assert jupyter.ask("PATCH", "/jobs").status == 405


def test_the_relay_s_token_is_nowhere(jupyter: Server) -> None:
    for method, path in USER:
        if path != "/watch":
            answer = jupyter.ask(method, path, {} if method in ("POST", "PUT") else None)
            assert RELAY_TOKEN not in answer.body.decode() + str(answer.headers), (method, path)
            assert "Set-Cookie" not in answer.headers
    assert RELAY_TOKEN not in jupyter.said()
    assert RELAY_TOKEN not in str(psutil.Process(jupyter.pid).cmdline())


def test_kernels_go_straight_to_the_relay(jupyter: Server, relay: Server) -> None:
    connection = jupyter.connect()
    connection.request("POST", "/api/kernels", "{}", {"Authorization": f"Bearer {JUPYTER_TOKEN}"})
    kernel = json.loads(connection.getresponse().read())["id"]
    try:
        children = psutil.Process(jupyter.pid).children()
        (environment,) = [child.environ() for child in children if kernel in " ".join(child.cmdline())]
        assert environment["CUMULUS_URL"] == relay.url
        assert environment["CUMULUS_TOKEN"] == RELAY_TOKEN
    finally:
        connection.request(
            "DELETE", f"/api/kernels/{kernel}", "", {"Authorization": f"Bearer {JUPYTER_TOKEN}"}
        )
        connection.getresponse().read()
        connection.close()


def test_a_relay_that_is_killed_and_started_again(jupyter: Server, relay: Server) -> None:
    with jupyter.stream("GET", "/watch", Accept=SSE) as stream:
        stream.readline()
        relay.end(signal.SIGKILL)
        while stream.readline():
            pass
    for _ in range(2):
        away = jupyter.ask("GET", "/jobs")
        assert (away.status, away.json["code"]) == (503, "UNAVAILABLE")
        assert away.json["message"] == f"The relay at {relay.url} does not answer: Connection refused"
        assert away.json["next"] == "See whether it runs, and can be reached from the Jupyter server."
    place = jupyter.ask("GET", "/relay").json
    assert (place["kind"], place["url"], place["healthy"]) == ("elsewhere", relay.url, False)
    assert place["message"] == away.json["message"]
    assert jupyter.ask("POST", "/jobs", cell("1"), Accept=SSE).status == 503
    relay.start()
    assert wait_for(lambda: jupyter.ask("GET", "/relay").json["healthy"], LIMIT_S)
    assert jupyter.ask("GET", "/jobs").status == 200


def test_nothing_of_all_this_was_logged_as_a_fault(jupyter: Server) -> None:
    assert "cumulus_server/" not in jupyter.said()
