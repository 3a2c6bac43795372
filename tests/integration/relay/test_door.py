"""The listeners for runners in containers and for new workers: routes, port, certificate."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from cumulus_jupyter.protocol import API_PATH
from cumulus_server.door import certificate
from cumulus_server.door.certificate import Certificate
from cumulus_server.door.doors import DESKTOP, Doors
from cumulus_server.executors.base import Executor, ExecutorUnavailable
from cumulus_server.handlers import ENROLMENT_ROUTES, ROUTES
from cumulus_server.reconcile.launch import Address
from cumulus_server.relay.tokens import new_token
from tests.fakes.executor import FakeExecutor, FakeWorld
from tests.patience import LIMIT_S

from .harness import TOKEN, Server
from .test_auth import HOST, METHODS, RUNNER


@dataclass
class Outside:
    """An executor whose runners reach the relay in a given way."""

    reach: str
    host: str = "127.0.0.1"
    asked: int = field(default=0)

    def executor(self) -> Executor:
        fake = FakeExecutor(FakeWorld([]), name=self.reach)
        fake.reach = self.reach

        async def address() -> str:
            self.asked += 1
            return self.host

        fake.address = address  # type: ignore[method-assign]
        return fake


@asynccontextmanager
async def doors(server: Server, **settings: Any) -> AsyncIterator[Doors]:
    """The doors of this relay, with other settings."""
    server.relay.config = replace(server.relay.config, **settings)
    made = Doors(server.relay)
    try:
        yield made
    finally:
        await made.close()


async def ask(
    address: Address, method: str, path: str, token: str | None = None, body: Any = None
) -> HTTPResponse:
    """One request of a runner, which trusts the certificate of its assignment and no other."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if body is None and method in ("POST", "PUT", "PATCH"):
        body = b""
    context = None
    if address.certificate:
        context = ssl.create_default_context(cadata=address.certificate)
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as newer Pythons do by themselves
    request = HTTPRequest(
        f"{address.url}{API_PATH}{path}", method, headers=headers, ssl_options=context,
        body=json.dumps(body).encode() if isinstance(body, dict) else body, request_timeout=LIMIT_S,
        allow_nonstandard_methods=True,
    )  # fmt: skip
    return await AsyncHTTPClient().fetch(request, raise_error=False)


@pytest.mark.parametrize("reach", ["bridge", "network"])
async def test_a_runner_claims_and_reports_through_it(server: Server, reach: str) -> None:
    async with doors(server) as opened:
        address = await opened.address(Outside(reach).executor())
        assert address.url.startswith("https://127.0.0.1:" if reach == "network" else "http://127.0.0.1:")
        assert bool(address.certificate) == (reach == "network")
        assert address.relay_file == ""
        job_id = await server.submit()
        token, key = await server.moving.begin(job_id, executor=reach), new_token()
        claim = {"job_id": job_id, "attempt": 1, "session_key": key, "python": "3.11"}
        assert (await ask(address, "POST", "/runner/claim", token, claim)).code == 200
        batch = {"first": 1, "events": [], "outcome": {"state": "COMPLETED"}}
        assert (await ask(address, "POST", "/runner/events", key, batch)).code == 200
        assert (await server.events(job_id))[-1]["state"] == "COMPLETED"


@pytest.mark.parametrize("reach", ["bridge", "network"])
async def test_nothing_is_behind_it_but_what_programs_elsewhere_need(server: Server, reach: str) -> None:
    walked = 0
    async with doors(server) as opened:
        address = await opened.address(Outside(reach).executor())
        elsewhere = [
            (method, re.sub(r"\(\?P<\w+>[^)]*\)", "x", path))
            for path, _ in (*ROUTES, *ENROLMENT_ROUTES)
            for method in METHODS
        ]
        elsewhere += [("GET", path) for path in ("", "/", "/runner", "/runner/", "/runner/nothing")]
        for method, path in elsewhere:
            for token in (None, "wrong", TOKEN, "0" * 64):
                answer = await ask(address, method, path, token)
                walked += 1
                served = (method, path) in RUNNER or (method, path) in HOST and reach == "network"
                allowed = (401, 400) if served else (401, 405)
                assert answer.code in allowed, (method, path, token, answer.code)
        job_id, key = await server.running()
        for method, path in elsewhere:
            if not path.startswith("/runner"):
                allowed = (401, 400) if (method, path) in HOST and reach == "network" else (404, 405)
                assert (await ask(address, method, path, key)).code in allowed, (method, path)
    assert walked > 400
    assert job_id


@pytest.mark.parametrize(("route", "answer"), [("events", 401), ("claim", 400)])
async def test_a_strangers_large_body_is_not_read(server: Server, route: str, answer: int) -> None:
    async with doors(server) as opened:
        relay = (await opened.address(Outside("bridge").executor())).url
        address = urlsplit(f"{relay}{API_PATH}/runner/{route}")
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        head = f"POST {address.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {'0' * 64}\r\n"
        writer.write(f"{head}Content-Length: {100 << 20}\r\n\r\n".encode())
        async with asyncio.timeout(LIMIT_S):
            assert f" {answer} " in (await reader.readline()).decode()
        writer.close()


async def test_local_runners_need_no_door(server: Server) -> None:
    async with doors(server) as opened:
        local = Outside("")
        address = await opened.address(local.executor())
        assert (address.url, address.certificate) == (server.relay.url, "")
        assert address.relay_file == str(server.relay.state.relay_file)
        assert local.asked == 0


async def test_the_port_is_the_same_after_a_restart(server: Server) -> None:
    async with doors(server) as opened:
        first = {
            reach: (await opened.address(Outside(reach).executor())).url for reach in ("bridge", "network")
        }
        again = {
            reach: (await opened.address(Outside(reach).executor())).url for reach in ("bridge", "network")
        }
    async with doors(server) as opened:
        later = {
            reach: (await opened.address(Outside(reach).executor())).url for reach in ("bridge", "network")
        }
    assert first == again == later
    assert first["bridge"].partition(":")[2] != first["network"].partition(":")[2]


async def test_a_port_that_somebody_else_has_is_given_up(server: Server, caplog: Any) -> None:
    async with doors(server) as opened:
        first = (await opened.address(Outside("bridge").executor())).url
    with socket.create_server(("127.0.0.1", int(first.rstrip("/").rpartition(":")[2]))):
        async with doors(server) as opened:
            second = (await opened.address(Outside("bridge").executor())).url
    assert second != first
    assert "is taken by another process" in caplog.text
    async with doors(server) as opened:
        assert (await opened.address(Outside("bridge").executor())).url == second


async def test_a_port_that_was_set_is_not_given_up(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with doors(server, runner_port=port) as opened:
            with pytest.raises(ExecutorUnavailable, match=f"{port} of 127.0.0.1 is taken") as raised:
                await opened.address(Outside("network").executor())
            assert "runner_port" in raised.value.next
    async with doors(server, runner_port=port) as opened:
        assert (await opened.address(Outside("network").executor())).url == f"https://127.0.0.1:{port}/"


async def test_behind_a_router_it_listens_where_that_forwards_to(server: Server) -> None:
    with socket.create_server(("127.0.0.2", 0)) as free:
        port = free.getsockname()[1]
    settings = {"runner_host": "192.0.2.1", "runner_port": 40_123, "runner_listen": f"127.0.0.2:{port}"}
    async with doors(server, **settings) as opened:
        told = await opened.address(Outside("network").executor())
        assert told.url == "https://192.0.2.1:40123/"
        named = x509.load_pem_x509_certificate(told.certificate.encode())
        names = named.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "192.0.2.1" in [str(address) for address in names.get_values_for_type(x509.IPAddress)]
        socket.create_connection(("127.0.0.2", port), 5).close()


async def test_it_listens_on_one_address(server: Server) -> None:
    async with doors(server) as opened:
        url = (await opened.address(Outside("bridge", "127.0.0.2").executor())).url
        port = int(url.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), 5)
        socket.create_connection(("127.0.0.2", port), 5).close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), 5)


async def test_an_address_of_another_machine_is_told_with_what_to_set(server: Server) -> None:
    async with doors(server) as opened:
        far = Outside("bridge", "192.0.2.1")
        trouble = await opened.trouble(far.executor())
        assert "192.0.2.1 is no address of this machine" in trouble
        assert "runner_host" in trouble and "runner_url" in trouble
        far.host = "127.0.0.1"
        assert await opened.trouble(far.executor()) == ""
        assert "not known" in await opened.trouble(Outside("network", "").executor())


async def test_an_address_that_changes_is_followed(server: Server) -> None:
    async with doors(server) as opened:
        outside = Outside("network")
        executor = outside.executor()
        first = await opened.address(executor)
        outside.host = "127.0.0.2"
        assert await opened.trouble(executor) == ""
        second = await opened.address(executor)
        assert second.url == first.url.replace("127.0.0.1", "127.0.0.2")
        assert second.certificate != first.certificate
        assert (await ask(second, "POST", "/runner/claim")).code == 401
        with pytest.raises(ssl.SSLError):
            await ask(replace(second, certificate=first.certificate), "POST", "/runner/claim")


async def test_the_settings_win(server: Server) -> None:
    outside = Outside("bridge", "192.0.2.1")
    async with doors(server, runner_host="127.0.0.3") as opened:
        assert (await opened.address(outside.executor())).url.startswith("http://127.0.0.3:")
    async with doors(server, runner_url="https://relay.example/base") as opened:
        assert await opened.address(outside.executor()) == Address("https://relay.example/base/")
    assert outside.asked == 0


async def test_docker_desktops_containers_come_by_loopback(server: Server) -> None:
    async with doors(server) as opened:
        url = (await opened.address(Outside("bridge", DESKTOP).executor())).url
        assert url.startswith(f"http://{DESKTOP}:")
        assert (await ask(Address(url.replace(DESKTOP, "127.0.0.1")), "POST", "/runner/claim")).code == 401


async def test_key_and_certificate_are_their_owners_alone(server: Server) -> None:
    async with doors(server) as opened:
        address = await opened.address(Outside("network").executor())
        state = server.relay.config.state_dir
        for name in ("runners-key.pem", "runners-certificate.pem"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
        assert (state / "runners-certificate.pem").read_text() == address.certificate
        assert "PRIVATE KEY" not in address.certificate
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(_shake_hands, address.url, ssl.create_default_context())


def _shake_hands(url: str, context: ssl.SSLContext) -> None:
    host, _, port = url.removeprefix("https://").rstrip("/").partition(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        pass


def test_a_certificate_is_kept_until_it_nears_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "_DAYS", 181)
    first = Certificate(tmp_path, "relay.example").ensure()
    assert Certificate(tmp_path, "relay.example").ensure() == first
    monkeypatch.setattr(certificate, "_RENEWED_BEFORE_DAYS", 182)
    monkeypatch.setattr(certificate, "_DAYS", 1000)
    second = Certificate(tmp_path, "relay.example").ensure()
    assert second != first
    monkeypatch.setattr(certificate, "_RENEWED_BEFORE_DAYS", 180)
    (tmp_path / "runners-key.pem").write_text("damaged")
    third = Certificate(tmp_path, "relay.example").ensure()
    assert third not in (first, second)
    found = x509.load_pem_x509_certificate(third.encode())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["relay.example"]
