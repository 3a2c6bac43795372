"""The extension in a Jupyter server that has other work to do."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

import cumulus_server
from cumulus_server.extension import CumulusApp, _tell_by, server_url


def test_jupyter_finds_it() -> None:
    (point,) = cumulus_server._jupyter_server_extension_points()
    assert point == {"module": "cumulus_server.extension", "app": CumulusApp}


async def test_a_server_goes_on_and_stops_without_a_relay_that_could_not_be_built() -> None:
    app = CumulusApp()
    server: Any = SimpleNamespace()
    assert app.current_activity() is None
    await app._start_jupyter_server_extension(server)
    await app.stop_extension()


def test_what_the_relay_says_is_in_the_server_s_log() -> None:
    said: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    server_log = logging.getLogger("a server")
    server_log.setLevel(logging.INFO)
    server_log.addHandler(handler)
    ours = logging.getLogger("cumulus_server")
    before = ours.level
    try:
        assert _tell_by(server_log) == [handler] and _tell_by(server_log) == []
        logging.getLogger("cumulus_server.door").info("open")
        assert said == ["open"]
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)


@pytest.mark.parametrize(
    ("ip", "certificate", "base_url", "expected"),
    [
        ("", "", "/", "http://127.0.0.1:8888/"),
        ("0.0.0.0", "", "/", "http://127.0.0.1:8888/"),
        ("localhost", "", "/hub/x/", "http://127.0.0.1:8888/hub/x/"),
        ("::1", "", "/", "http://[::1]:8888/"),
        ("10.0.0.5", "cert.pem", "/", "https://10.0.0.5:8888/"),
    ],
)
def test_runners_and_clients_are_told_an_address_that_works(
    ip: str, certificate: str, base_url: str, expected: str
) -> None:
    server: Any = SimpleNamespace(ip=ip, certfile=certificate, base_url=base_url, port=8888)
    assert server_url(server) == expected
