"""A headless relay in a home of its own, that can be killed and started again, and plain requests to it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.homes import Home, alive, wait_for
from tests.patience import LIMIT_S

#: How long a request is tried again while the relay is away.
AWAY_S = LIMIT_S


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class RelayProcess:
    """``python -m cumulus_server`` for one home."""

    def __init__(self, home: Home, *arguments: str, wrapper: Sequence[str] = ()) -> None:
        """``wrapper`` is a command that runs the one after it, such as ``setpriv``."""
        self.home = home
        self.wrapper = wrapper
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start it without waiting until it answers."""
        log = (self.home.path / "relay-output.log").open("ab")
        self.process = subprocess.Popen(
            [*self.wrapper, sys.executable, "-m", "cumulus_server", *self.arguments],
            env=self.home.environment(**environment),
            cwd=self.home.path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def wait_ready(self) -> None:
        """Wait until it has told its address, or has ended."""
        process = self.process
        assert process is not None
        wait_for(lambda: process.poll() is not None or self._announced() == process.pid, LIMIT_S)

    def _announced(self) -> int | None:
        return (self.home.relay() or {}).get("pid")

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """``kill -9``."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it, and the runners it would leave behind."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def log(self) -> str:
        """All it has written."""
        return (self.home.path / "relay-output.log").read_text(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request on a connection of its own. Raises ``OSError`` where the relay is away."""
        told = self.home.relay()
        if told is None or not alive(told["pid"]):
            raise ConnectionRefusedError("no relay")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {told['token'] if token is None else token}"}
        if data is not None and not isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
        address = urlsplit(told["url"])
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT_S)
        try:
            connection.request(method, f"/cumulus/api/v1/{path}", data, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except http.client.HTTPException as error:
            raise ConnectionResetError(str(error)) from error
        finally:
            connection.close()

    def insist(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Like ``request``, again and again while the relay is away."""
        give_up = time.monotonic() + AWAY_S
        while True:
            try:
                return self.request(method, path, body, headers)
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)

    def submit(self, source: str, key: str | None = None, **spec: Any) -> str:
        """Submit a cell until it is acknowledged; the job's id."""
        body = {"program": {"kind": "cell", "source": source}, **spec}
        answer = self.insist("POST", "jobs", body, {"Idempotency-Key": key} if key else None)
        assert answer.status in (200, 201), answer.body
        return str(answer.json["id"])

    def job(self, job_id: str) -> Any:
        """The job as its owner sees it."""
        return self.insist("GET", f"jobs/{job_id}").json

    def wait_end(self, job_id: str, timeout_s: float = LIMIT_S) -> Any:
        """The job, once it has ended."""
        ended = ("COMPLETED", "FAILED", "CANCELLED")
        assert wait_for(lambda: self.job(job_id)["state"] in ended, timeout_s, 0.1), self.job(job_id)
        return self.job(job_id)

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """Every event of an ended job, in order."""
        stream = self.insist("GET", f"jobs/{job_id}/events?after=0").body.decode()
        lines = (line for line in stream.splitlines() if line.startswith("data: "))
        return [json.loads(line.removeprefix("data: ")) for line in lines]
