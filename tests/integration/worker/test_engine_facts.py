"""What is learnt of a Docker Engine: from a stand-in that says what it is told to, and from the real one."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_worker import engine as engines
from tests.rig.docker import docker


@pytest.fixture
def stand_in() -> Iterator[Callable[[bytes], str]]:
    """An engine that gives one answer; where it listens."""
    running: list[socketserver.BaseServer] = []
    with tempfile.TemporaryDirectory() as folder:

        def listening(body: bytes) -> str:
            class Handler(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    assert self.rfile.readline() == b"GET /info HTTP/1.1\r\n"
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

            path = str(Path(folder, "docker.sock"))
            server = socketserver.UnixStreamServer(path, Handler)
            running.append(server)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return path

        yield listening
        for server in running:
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize(
    ("info", "told"),
    [
        (
            {"ServerVersion": "26.1.5", "Swarm": {"LocalNodeState": "active", "NodeID": "abc"}},
            {"version": "26.1.5", "nvidia": False, "swarm": "active", "node_id": "abc"},
        ),
        (
            {"ServerVersion": "20.10.24", "Runtimes": {"runc": {}, "nvidia": {}}},
            {"version": "20.10.24", "nvidia": True, "swarm": "", "node_id": ""},
        ),
        (
            {"ServerVersion": "28.3", "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]},
            {"version": "28.3", "nvidia": True, "swarm": "", "node_id": ""},
        ),
    ],
)
def test_what_an_engine_says(
    stand_in: Callable[[bytes], str], info: dict[str, Any], told: dict[str, Any]
) -> None:
    assert engines.facts(stand_in(json.dumps(info).encode())) == told


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null"])
def test_what_makes_no_sense_is_nothing(stand_in: Callable[[bytes], str], body: bytes) -> None:
    assert engines.facts(stand_in(body)) == engines.NOTHING


def test_an_engine_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert engines.facts(str(tmp_path / "nowhere.sock")) == engines.NOTHING


def test_the_engine_of_this_machine(engine: str) -> None:
    told = engines.facts(engine.removeprefix("unix://"))
    assert told["version"] == docker("version", "--format", "{{.Server.Version}}")
    assert told["swarm"] in ("active", "inactive", "pending", "error", "locked")
