"""Settings that lead nowhere, or to something else than a relay like this: the page is told what to do."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import certificate
from tests.homes import wait_for
from tests.patience import LIMIT_S

from .servers import RELAY_TOKEN, Server, jupyter_server, relay_server, running


class Stranger:
    """An HTTP server that answers everything in one way."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"hello"
        self.paths: list[str] = []
        #: What came behind a request without a body.
        self.behind = b""
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.paths.append(self.path)
                self.send_response(stranger.status)
                for name, value in stranger.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(stranger.body)))
                self.end_headers()
                self.wfile.write(stranger.body)

            def do_DELETE(self) -> None:
                self.connection.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    stranger.behind += self.rfile.read(1)
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hub/x/"


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    """Something else where the relay should be."""
    made = Stranger()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def jupyter(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter server that passes calls on to it, and gets its token from a file."""
    folder = tmp_path_factory.mktemp("jupyter")
    token = folder / "token"
    token.write_text(f"{RELAY_TOKEN}\n")
    arguments = [f"--Cumulus.relay_url={stranger.url}", f"--Cumulus.relay_token_file={token}"]
    made = jupyter_server(folder, *arguments, token="")
    with running(made):
        yield made


SAME = {"Cumulus-Protocol": "1"}


@pytest.mark.parametrize(
    ("status", "headers", "said", "advice"),
    [
        (200, {}, "There is no relay at {url}", "Correct Cumulus.relay_url"),
        (404, {}, "There is no relay at {url}", "Correct Cumulus.relay_url"),
        (502, {}, "The relay at {url} does not answer: what is before it says 502", "See whether it runs"),
        (
            302,
            {"Location": "http://192.0.2.1/"},
            "answers that it is elsewhere",
            "redirects are not followed",
        ),
        (401, SAME, "The relay at {url} does not accept this server's token", "Set CUMULUS_TOKEN"),
        (200, {"Cumulus-Protocol": "2"}, "speaks protocol 2, this server 1", "Install the same version"),
        (200, SAME, "says what this server does not understand", "Install the same version"),
    ],
)
def test_something_else_than_a_relay_like_this_one(
    stranger: Stranger, jupyter: Server, status: int, headers: dict[str, str], said: str, advice: str
) -> None:
    stranger.status, stranger.headers = status, headers
    place = jupyter.ask("GET", "/relay").json
    assert (place["kind"], place["url"], place["healthy"]) == ("elsewhere", stranger.url, False)
    assert said.format(url=stranger.url) in place["message"]
    assert advice in place["next"]
    if "understand" not in said:
        answer = jupyter.ask("GET", "/jobs")
        assert answer.status in (409, 503)
        assert answer.json["message"] == place["message"]
        assert answer.json["next"] == place["next"]


def test_what_belongs_to_this_server_does_not_go_on(stranger: Stranger, jupyter: Server) -> None:
    stranger.status = 200
    stranger.headers = {**SAME, "Set-Cookie": "a=b", "X-Own": "1", "Content-Type": "text/plain"}
    answer = jupyter.ask("GET", f"/jobs?limit=3&token={jupyter.token}&label=a%26b", token="")
    assert (answer.status, answer.body) == (200, b"hello")
    assert stranger.paths[-1] == "/hub/x/cumulus/api/v1/jobs?limit=3&label=a%26b"
    assert "a=b" not in answer.headers.get("Set-Cookie", "")
    assert "X-Own" not in answer.headers
    assert answer.headers["Content-Type"] == "text/plain"


def test_nothing_goes_on_behind_a_request_that_has_no_body(stranger: Stranger, jupyter: Server) -> None:
    stranger.status, stranger.headers = 200, SAME
    smuggled = b"GET / HTTP/1.1\r\n\r\n"
    answer = jupyter.ask("DELETE", "/jobs/x", iter([smuggled]))
    assert (answer.status, stranger.behind) == (200, b"")


def test_a_server_that_passes_calls_on_to_itself(tmp_path: Path) -> None:
    made = jupyter_server(tmp_path / "jupyter")
    made.arguments.append(f"--Cumulus.relay_url={made.url}")
    made.environment["CUMULUS_TOKEN"] = made.token
    with running(made):
        answer = made.ask("GET", "/jobs")
    assert answer.status == 409
    assert "come back from there" in answer.json["message"]


def test_a_relay_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    bundle = tmp_path / "authority.pem"
    bundle.write_text(own.pem)
    files = [
        f"--ServerApp.certfile={tmp_path / 'relay.pem'}",
        f"--ServerApp.keyfile={tmp_path / 'relay.pem'}",
    ]
    relay = relay_server(tmp_path / "relay", *files, tls=ssl.create_default_context(cadata=own.pem))
    doubting = jupyter_server(tmp_path / "doubting", f"--Cumulus.relay_url={relay.url}")
    trusting = jupyter_server(
        tmp_path / "trusting", f"--Cumulus.relay_url={relay.url}", f"--Cumulus.relay_ca_bundle={bundle}"
    )
    with running(relay, doubting, trusting):
        refused = doubting.ask("GET", "/relay").json
        assert "does not trust the certificate" in refused["message"]
        assert "Cumulus.relay_ca_bundle" in refused["next"]
        assert not refused["healthy"]
        assert wait_for(lambda: trusting.ask("GET", "/relay").json["healthy"], LIMIT_S)
        done = trusting.ask(
            "POST", "/jobs", {"program": {"kind": "cell", "source": "1"}}, Accept="text/event-stream"
        )
        assert done.status == 201
        assert b"event: result" in done.body


def test_settings_that_cannot_be_right(tmp_path: Path) -> None:
    wrong = jupyter_server(tmp_path / "wrong", "--Cumulus.histroy_s=5")
    without = jupyter_server(tmp_path / "without", "--Cumulus.relay_url=https://192.0.2.1/", token="")
    with running(wrong, without):
        for server, said, advice in (
            (wrong, "there is no setting 'histroy_s'", "Did you mean history_s?"),
            (without, "its token is missing", "Cumulus.relay_token_file"),
        ):
            place = server.ask("GET", "/relay").json
            assert (place["kind"], place["healthy"]) == ("absent", False)
            assert said in place["message"]
            assert advice in place["next"]
            for path in ("/jobs", "/watch"):
                answer = server.ask("GET", path)
                assert (answer.status, answer.json["code"]) == (503, "UNAVAILABLE")
                assert said in answer.json["message"]
                assert server.ask("GET", path, token="wrong").status == 401
            assert server.ask("GET", "/openapi.json").json["paths"]
            with contextlib.closing(server.connect()) as connection:
                connection.request("GET", "/api/status", headers={"Authorization": f"Bearer {server.token}"})
                assert json.loads(connection.getresponse().read())["kernels"] == 0
