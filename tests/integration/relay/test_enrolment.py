"""Hosts become workers over HTTP: at the door for other machines, with a real relay and a fake Swarm."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import ssl
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPResponse as Answer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tornado.httpclient import AsyncHTTPClient

from cumulus_jupyter.protocol import API_PATH
from cumulus_jupyter.protocol.enrolment import SCRIPT_PATH
from cumulus_jupyter.protocol.errors import FailedPrecondition
from cumulus_server.door.certificate import pin_of
from cumulus_server.reconcile.launch import Address
from cumulus_server.workers import package
from tests.fakes.hosts import HOST_KEY, IMAGE, SCRIPT
from tests.patience import LIMIT_S

from .harness import Server, serve
from .test_door import Outside, ask, doors

KEY, OTHER_KEY = "5" * 64, "6" * 64
READY = {"node_id": "node1", "ssh": {"host_key": HOST_KEY}, "probe": {}}


@asynccontextmanager
async def door(server: Server) -> AsyncIterator[Address]:
    """Where other machines reach the relay."""
    async with doors(server) as opened:
        yield await opened.address(Outside("network").executor())


async def new_token(server: Server) -> str:
    """A one-time token, as a user gets one."""
    answer = await server.fetch("POST", "/workers/tokens")
    assert answer.code == 200, answer.body
    return str(json.loads(answer.body)["token"])


async def enrol(server: Server, address: Address, key: str = KEY) -> str:
    """Use a new token up; the token."""
    token = await new_token(server)
    body = {"session_key": key, "hostname": "gpu1"}
    assert (await ask(address, "POST", "/enrolment", token, body)).code == 200
    return token


async def test_a_host_becomes_a_worker_and_leaves(server: Server) -> None:
    async with door(server) as address:
        made = json.loads((await server.fetch("POST", "/workers/tokens")).body)
        token = made["token"]
        assert len(token) == 64 and token in made["command"] and "works once" in made["note"]
        body = {"session_key": KEY, "hostname": "gpu1"}
        for bearer in (token, token, KEY):
            terms = json.loads((await ask(address, "POST", "/enrolment", bearer, body)).body)
            assert terms["swarm"] == {"address": "192.0.2.1:2377", "join_token": "SWMTKN-1"}
            assert terms["ssh"]["user"] == "cumulus"
        used = await ask(address, "POST", "/enrolment", token, {**body, "session_key": OTHER_KEY})
        assert (used.code, json.loads(used.body)["code"]) == (403, "PERMISSION_DENIED")
        assert (await ask(address, "GET", "/enrolment/package", KEY)).body == b"a zip"
        name = terms["images"][0]["name"]
        image = await ask(address, "GET", f"/enrolment/images/{name.replace(':', '%3A')}", KEY)
        assert image.body == b"".join(server.moving.hosts.pieces)
        server.moving.hosts.up["node1"] = "gpu1"
        ready = json.loads((await ask(address, "POST", "/enrolment/ready", KEY, READY)).body)
        assert (ready["worker"], ready["devices"]) == ("gpu1", 1)
        assert server.moving.hosts.peers == ["127.0.0.1"]
        for left in ("gpu1", ""):
            answer = await ask(address, "POST", "/enrolment/leave", KEY)
            assert json.loads(answer.body) == {"worker": left}
        assert (await ask(address, "GET", "/enrolment/package", KEY)).code == 403


async def test_the_script_is_for_everybody_and_nothing_else_is(server: Server) -> None:
    async with door(server) as address:
        async with Raw(address, f"/{SCRIPT_PATH}") as answer:
            assert answer.status == 200
            assert await asyncio.to_thread(answer.read) == SCRIPT
            assert answer.headers["Content-Type"].startswith("text/x-shellscript")
        token = await new_token(server)
        for method, path in (
            ("GET", "/enrolment/package"), ("GET", f"/enrolment/images/{IMAGE}"),
            ("POST", "/enrolment/ready"), ("POST", "/enrolment/leave"),
        ):  # fmt: skip
            for bearer in (None, token, OTHER_KEY):
                answered = await ask(address, method, path, bearer)
                assert answered.code == 401, (method, path, bearer)
                assert json.loads(answered.body)["next"]


async def test_the_servers_own_address_knows_no_hosts(server: Server) -> None:
    async with door(server) as address:
        await enrol(server, address)
    for token in (KEY, "the-server's-token"):
        answer = await server.fetch("GET", "/enrolment/package", token=token)
        assert answer.code in (401, 404)
    script = server.root.replace(API_PATH, SCRIPT_PATH)
    answer = await AsyncHTTPClient().fetch(script, follow_redirects=False, raise_error=False)
    assert answer.code in (302, 403, 404)


async def test_where_others_come_by_the_servers_own_address_hosts_do_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = "--Cumulus.runner_url=https://relay.example/base/"
    async with serve(monkeypatch, tmp_path / "state", url, base_url="/base/") as server:
        script = await AsyncHTTPClient().fetch(server.root.replace(API_PATH, SCRIPT_PATH))
        assert script.body == SCRIPT
        body = {"session_key": KEY, "hostname": "gpu1"}
        token = await new_token(server)
        assert (await server.fetch("POST", "/enrolment", body, token=token)).code == 200
        assert (await server.fetch("GET", "/enrolment/package", token=KEY)).body == b"a zip"


async def test_the_pin_is_that_of_the_key_that_is_shown(server: Server) -> None:
    async with door(server) as address:
        parts = urlsplit(address.url)
        pem = await asyncio.to_thread(ssl.get_server_certificate, (parts.hostname, parts.port))
        told = x509.load_pem_x509_certificate(pem.encode()).public_key()
        der = told.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pin = pin_of(address.certificate)
        assert pin == f"sha256//{b64encode(hashlib.sha256(der).digest()).decode()}"
        curl = await asyncio.create_subprocess_exec(
            "curl", "-fsSk", "--pinnedpubkey", pin, f"{address.url}{SCRIPT_PATH}", stdout=-1
        )
        assert (await curl.communicate())[0] == SCRIPT


async def test_what_is_wrong_is_told_with_what_to_do(server: Server) -> None:
    async with door(server) as address:
        await enrol(server, address)
        server.moving.hosts.up["node1"] = "gpu1"
        server.moving.hosts.refuse = FailedPrecondition("no SSH at 127.0.0.1:22", next="open it")
        answer = await ask(address, "POST", "/enrolment/ready", KEY, READY)
        assert answer.code == 409
        assert json.loads(answer.body)["next"] == "open it"
        for body in ({}, {"node_id": 5}, {**READY, "ssh": {}}, {**READY, "probe": []}):
            answer = await ask(address, "POST", "/enrolment/ready", KEY, body)
            assert answer.code == 400, body
        server.moving.hosts.trouble = FailedPrecondition("no Swarm", next="docker swarm init")
        assert (await server.fetch("POST", "/workers/tokens")).code == 409


async def test_a_relay_started_again_knows_its_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with serve(monkeypatch, tmp_path / "state") as server, door(server) as address:
        token = await enrol(server, address)
    async with serve(monkeypatch, tmp_path / "state") as server, door(server) as again:
        assert again == address
        body = {"session_key": KEY, "hostname": "gpu1"}
        assert (await ask(again, "POST", "/enrolment", token, body)).code == 200
        server.moving.hosts.up["node1"] = "gpu1"
        assert (await ask(again, "POST", "/enrolment/ready", KEY, READY)).code == 200


async def test_with_its_store_lost_a_relay_says_how_to_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with serve(monkeypatch, tmp_path / "one") as server, door(server) as address:
        await enrol(server, address)
    async with serve(monkeypatch, tmp_path / "two") as server, door(server) as other:
        for path, body in (("", {"session_key": KEY, "hostname": "gpu1"}), ("/ready", READY), ("/leave", {})):
            answer = await ask(other, "POST", f"/enrolment{path}", KEY, body)
            assert answer.code == 401
            assert "%cumulus add-worker" in json.loads(answer.body)["next"]


async def test_an_image_that_breaks_off_is_not_taken_for_whole(server: Server) -> None:
    server.moving.hosts.broken = RuntimeError("the engine has gone")
    async with door(server) as address:
        await enrol(server, address)
        async with Raw(address, f"/{API_PATH}/enrolment/images/{IMAGE}", KEY) as answer:
            with pytest.raises(Exception, match="Incomplete|EOF|eof"):
                await asyncio.to_thread(answer.read)
        assert (await ask(address, "GET", "/enrolment/images/other", KEY)).code == 404


async def test_an_image_is_read_no_faster_than_it_is_sent(server: Server) -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(64):
            read += 1
            yield bytes(1 << 20)

    server.moving.hosts._pieces = pieces  # type: ignore[method-assign]
    async with door(server) as address:
        await enrol(server, address)
        async with Raw(address, f"/{API_PATH}/enrolment/images/{IMAGE}", KEY) as answer:
            assert len(await asyncio.to_thread(answer.read, 1 << 20)) == 1 << 20
            before = -1
            while read != before:  # until it stands still
                before = read
                await asyncio.sleep(0.2)
            assert read < 40
            rest = await asyncio.to_thread(answer.read)
            assert len(rest) == 63 << 20


async def test_no_token_is_logged_or_kept(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    monkey: dict[str, Any] = server.serverapp.web_app.settings
    monkey["cumulus_log_requests"] = True
    with caplog.at_level(logging.DEBUG):
        async with door(server) as address:
            token = await enrol(server, address)
            server.moving.hosts.broken = RuntimeError("on purpose")
            async with Raw(address, f"/{API_PATH}/enrolment/images/{IMAGE}", KEY) as answer:
                with pytest.raises(Exception, match="Incomplete|EOF|eof"):
                    await asyncio.to_thread(answer.read)
            await ask(address, "POST", "/enrolment", token, {"session_key": OTHER_KEY, "hostname": "gpu2"})
    assert "on purpose" in caplog.text
    kept = [file.read_bytes() for file in server.relay.config.state_dir.rglob("*") if file.is_file()]
    for secret in (token, KEY, OTHER_KEY):
        assert secret not in caplog.text
        assert not [content for content in kept if secret.encode() in content]


def test_the_package_has_what_a_worker_runs_and_the_script_is_there() -> None:
    packed = package.package()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
    assert "cumulus_worker/__init__.py" in names and "cumulus_worker/setup/__main__.py" in names
    assert not [name for name in names if "__pycache__" in name or not name.startswith("cumulus_worker/")]
    package.package.cache_clear()
    assert package.package() == packed
    assert package.script().startswith(b"#!")


class Raw:
    """One answer of the door, read bit by bit."""

    def __init__(self, address: Address, path: str, token: str = "") -> None:
        self._address, self._path, self._token = address, path, token

    async def __aenter__(self) -> Answer:
        return await asyncio.to_thread(self._open)

    def _open(self) -> Answer:
        from http.client import HTTPSConnection

        parts = urlsplit(self._address.url)
        context = ssl.create_default_context(cadata=self._address.certificate)
        assert parts.hostname
        self._connection = HTTPSConnection(parts.hostname, parts.port, context=context, timeout=LIMIT_S)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._connection.request("GET", self._path, headers=headers)
        self._answer = self._connection.getresponse()
        return self._answer

    async def __aexit__(self, *exc: object) -> None:
        self._answer.close()
        self._connection.close()
