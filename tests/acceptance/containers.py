"""Relays whose jobs run in containers, and what those leave on the engines."""

from __future__ import annotations

import contextlib
import json
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.homes import Home
from tests.patience import LIMIT_S
from tests.rig import Rig
from tests.rig.docker import lines

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Seconds in which what is left of jobs must go. It takes a few, and more where much else is to do.
TIDY_S = LIMIT_S


def settle(home: Home, **settings: Any) -> None:
    """Write the settings of the relay that will be started in this home."""
    home.state_dir.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    (home.state_dir / "cumulus.yaml").write_text(json.dumps(settings))


def docker_settings(engine: str, image: str, **more: Any) -> dict[str, Any]:
    """Settings of a relay with this machine's engine alone."""
    return {"executors": ["docker"], "docker_host": engine, "job_images": {MINOR: image}, **more}


def swarm_settings(rig: Rig, image: str, **more: Any) -> dict[str, Any]:
    """Settings of a relay with the rig's Swarm alone."""
    return {
        "executors": ["swarm"],
        "swarm_host": rig.manager_host,
        "runner_host": rig.runner_host,
        "job_images": {MINOR: image},
        **more,
    }


@dataclass(frozen=True)
class Belongings:
    """What there is on some engines, by engine: whatever was not there before a test was left by it."""

    containers: Mapping[str, frozenset[str]]
    volumes: Mapping[str, frozenset[str]]
    #: Services and secrets of a Swarm.
    services: frozenset[str]
    secrets: frozenset[str]

    @classmethod
    def on(cls, hosts: Mapping[str, str], manager: str = "") -> Belongings:
        """Look at the engines at ``hosts``, by a name to tell them by, and at the Swarm of ``manager``."""

        def of_swarm(kind: str) -> frozenset[str]:
            return frozenset(lines(kind, "ls", "--quiet", host=manager)) if manager else frozenset()

        return cls(
            {name: frozenset(lines("ps", "--all", "--quiet", host=host)) for name, host in hosts.items()},
            {name: frozenset(lines("volume", "ls", "--quiet", host=host)) for name, host in hosts.items()},
            of_swarm("service"),
            of_swarm("secret"),
        )

    def beyond(self, before: Belongings) -> list[str]:
        """What is here and was not there before."""
        found = [f"service {name}" for name in self.services - before.services]
        found += [f"secret {name}" for name in self.secrets - before.secrets]
        for kind in ("containers", "volumes"):
            earlier = getattr(before, kind)
            for host, there in getattr(self, kind).items():
                found += [f"{kind[:-1]} {name} on {host}" for name in there - earlier[host]]
        return found


def of_rig(rig: Rig) -> Belongings:
    """What there is on every node of a rig, asked of each node's own engine."""
    return Belongings.on({node: rig.engine(node) for node in rig.nodes}, rig.manager_host)


def all_removed(home: Home, engine: str) -> bool:
    """Whether the home's relay has put away every container of its ended jobs: wait for it before its end."""
    relay = home.relay()
    mine = f"label=io.cumulus.relay={relay['relay_id']}" if relay else ""
    return not relay or not lines("ps", "--all", "--quiet", "--filter", mine, host=engine)


def token_files(home: Home) -> list[Path]:
    """Files of the relay's that hold, or would hold, an attempt's token."""
    return [path for path in home.state_dir.rglob("*") if "assignment" in path.name and path.is_file()]


class Gate:
    """Holds jobs up until it is opened: each asks it, from wherever it runs."""

    def __init__(self, host: str) -> None:
        gate = self
        self._open = threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                """Answer one question."""
                self.request.sendall(b"1" if gate._open.is_set() else b"0")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server((host, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Let everybody go on, from now on."""
        self._open.set()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def question(self) -> str:
        """Code that waits until the gate is open."""
        return f"""
import socket, time
def is_open():
    try:
        with socket.create_connection({self._server.server_address!r}, timeout=2) as asked:
            return asked.recv(1) == b"1"
    except OSError:
        return False
while not is_open():
    time.sleep(0.2)
"""


@contextlib.contextmanager
def gate(host: str) -> Iterator[Gate]:
    """A gate at an address that the jobs reach."""
    opened = Gate(host)
    try:
        yield opened
    finally:
        opened.close()
