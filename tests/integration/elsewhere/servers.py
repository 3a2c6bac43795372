"""Real servers in processes of their own: relays, and Jupyter servers that may pass calls on to one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.homes import wait_for
from tests.patience import LIMIT_S
from tests.ports import free_port

RELAY_TOKEN = "the-relay's-own-secret-5f1c"
JUPYTER_TOKEN = "the-jupyter-server's-secret-9a2e"
API = "/cumulus/api/v1"


@dataclass
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class Server:
    """A server's process, and how to ask it."""

    arguments: list[str]
    log: Path
    token: str
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    tls: ssl.SSLContext | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments, f"--port={self.port}"],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        assert wait_for(self._answers, LIMIT_S, 0.05), self.said()

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.said()
        try:
            return self.ask("GET", "/relay").status == 200
        except OSError:
            return False

    def end(self, how: int = signal.SIGTERM) -> None:
        """Send a signal and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(LIMIT_S)

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text()

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    def connect(self) -> http.client.HTTPConnection:
        """A connection to it."""
        if self.tls is not None:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=LIMIT_S, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)

    @contextlib.contextmanager
    def stream(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """A request whose answer is read as it comes."""
        connection = self.connect()
        try:
            shown = self.token if token is None else token
            sent = {"Authorization": f"Bearer {shown}"} if shown else {}
            if isinstance(body, dict):
                body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, API + path, body, sent)
            yield connection.getresponse()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """A request and its whole answer."""
        with self.stream(method, path, body, **more) as answer:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def peak_memory_mib(self) -> float:
        """The most that it has held so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def calls_to(self, other: Server) -> int:
        """Connections to another server that are open now."""
        connections = psutil.Process(self.pid).net_connections("tcp")
        return sum(bool(c.raddr) and c.raddr.port == other.port for c in connections)


def relay_server(folder: Path, *arguments: str, **more: Any) -> Server:
    """A headless relay with a state folder of its own; not started."""
    folder.mkdir(exist_ok=True)
    module = ["cumulus_server", f"--Cumulus.state_dir={folder / 'state'}", *arguments]
    return Server(module, folder / "log", RELAY_TOKEN, {"CUMULUS_TOKEN": RELAY_TOKEN}, **more)


def jupyter_server(folder: Path, *arguments: str, token: str = RELAY_TOKEN, **more: Any) -> Server:
    """A Jupyter server with the extension; not started."""
    folder.mkdir(exist_ok=True)
    module = [
        "jupyter_server",
        "--allow-root",
        "--no-browser",
        "--ServerApp.jpserver_extensions={'cumulus_server': True}",
        "--ServerApp.allow_unauthenticated_access=False",
        f"--ServerApp.root_dir={folder}",
        *arguments,
    ]
    environment = {"JUPYTER_TOKEN": JUPYTER_TOKEN, **({"CUMULUS_TOKEN": token} if token else {})}
    return Server(module, folder / "log", JUPYTER_TOKEN, environment, **more)


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[None]:
    """These servers, in this order, for the length of the block."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in reversed(servers):
            server.end()
