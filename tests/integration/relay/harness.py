"""A real headless server in the test's own event loop, with nothing that moves its jobs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.web import RequestHandler

from cumulus_jupyter.protocol import API_PATH
from cumulus_jupyter.protocol.jobs import JobSpec, WorkerView
from cumulus_server.extension import CumulusApp, HeadlessServer
from cumulus_server.relay.service import Relay
from cumulus_server.relay.tokens import new_token, token_hash
from cumulus_server.store import Transaction, attempts, jobs
from tests.fakes.hosts import FakeHosts
from tests.patience import LIMIT_S

TOKEN = "the-server's-token"
SPEC = {"program": {"kind": "cell", "source": "x = 1"}}


class ByName(IdentityProvider):
    """Whoever says a name has it."""

    def get_user(self, handler: RequestHandler) -> User | None:  # type: ignore[override]
        """The token is the name."""
        handler._token_authenticated = True  # type: ignore[attr-defined]
        name = handler.request.headers.get("Authorization", "").removeprefix("Bearer ")
        return User(name) if name else None


@dataclass
class FakePlacement:
    """Everything fits, unless told otherwise."""

    refuse: Exception | None = None
    simulated: int = 0
    gpus: bool = False
    looking: bool = False
    #: Places of the jobs in line.
    line: dict[str, int] = field(default_factory=dict)
    known: list[WorkerView] = field(
        default_factory=lambda: [WorkerView("local", "process", "ready", 2.0, 1024)]
    )
    version: int = 0

    async def check(self, spec: JobSpec) -> None:
        """Refuse what the test wants refused."""
        if self.refuse is not None:
            raise self.refuse

    def position(self, job_id: str) -> int | None:
        """As the test wants it."""
        return self.line.get(job_id)

    def workers(self) -> list[WorkerView]:
        """One worker, or what the test wants."""
        return self.known

    def workers_version(self) -> int:
        """As the test wants it."""
        return self.version

    def become(self, *workers: WorkerView) -> None:
        """Have other workers from now on."""
        self.known, self.version = list(workers), self.version + 1

    def pythons(self) -> list[str]:
        """One version."""
        return ["3.11"]

    def executors(self) -> list[str]:
        """One executor."""
        return ["process"]

    def real_gpus(self) -> bool:
        """As the test wants it."""
        return self.gpus

    def simulate(self, count: int) -> None:
        """Remember."""
        self.simulated = count


@dataclass
class FakeMoving:
    """Moves a job only when the test says so."""

    relay: Relay
    placement: FakePlacement = field(default_factory=FakePlacement)
    hosts: FakeHosts = field(default_factory=FakeHosts)
    woken: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Nothing to take up."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def refresh(self) -> None:
        """Nothing to look at."""

    def wake(self, job_id: str) -> None:
        """Remember."""
        self.woken.append(job_id)

    async def begin(self, job_id: str, executor: str = "process") -> str:
        """Begin an attempt of a queued job, as the loop would; its claim token."""
        token = new_token()

        def write(tx: Transaction) -> None:
            attempts.begin_attempt(
                tx, job_id, executor=executor, worker="local", claim_hash=token_hash(token)
            )
            jobs.transition(tx, job_id, "SCHEDULING")

        await self.relay.store.run(write)
        return token

    async def retry(self, job_id: str) -> str:
        """Lose the runner and begin the next attempt; its claim token."""

        def lose(tx: Transaction) -> None:
            job = jobs.transition(tx, job_id, "QUEUED").job
            attempts.mark_released(tx, job_id, job.attempt)

        await self.relay.store.run(lose)
        return await self.begin(job_id)


class Server:
    """A running server, as a client and a runner see it."""

    def __init__(self, serverapp: Any, app: CumulusApp, moving: FakeMoving) -> None:
        self.serverapp = serverapp
        self.app = app
        assert app.relay is not None
        self.relay = app.relay
        self.moving = moving
        self.root = f"http://127.0.0.1:{serverapp.port}{serverapp.base_url}{API_PATH}"

    async def fetch(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> HTTPResponse:
        """One request; the answer whatever its status. A ``dict`` is sent as JSON."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        if body is None and method in ("POST", "PUT"):
            body = b""
        request = HTTPRequest(
            self.root + path,
            method,
            headers=sent,
            body=body,
            request_timeout=LIMIT_S,
            connect_timeout=LIMIT_S,
            **more,
        )
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    async def submit(self, spec: dict[str, Any] | None = None, **more: Any) -> str:
        """Submit a job; its id."""
        response = await self.fetch("POST", "/jobs", {**SPEC, **(spec or {})}, **more)
        assert response.code == 201, response.body
        return str(json.loads(response.body)["id"])

    async def claim(self, job_id: str, token: str, key: str, attempt: int = 1) -> HTTPResponse:
        """Claim an attempt as a runner would."""
        body = {"job_id": job_id, "attempt": attempt, "session_key": key, "python": "3.11"}
        return await self.fetch("POST", "/runner/claim", body, token=token)

    async def running(self, spec: dict[str, Any] | None = None, **more: Any) -> tuple[str, str]:
        """A job that a runner has claimed: its id, and the runner's session key."""
        job_id = await self.submit(spec, **more)
        token, key = await self.moving.begin(job_id), new_token()
        response = await self.claim(job_id, token, key)
        assert response.code == 200, response.body
        return job_id, key

    async def post(
        self, key: str, first: int, events: list[dict[str, Any]], outcome: Any = None
    ) -> HTTPResponse:
        """Post a batch as a runner would."""
        body: dict[str, Any] = {"first": first, "events": events}
        if outcome is not None:
            body["outcome"] = outcome if isinstance(outcome, dict) else {"state": outcome}
        return await self.fetch("POST", "/runner/events", body, token=key)

    async def events(self, job_id: str, after: int = 0) -> list[dict[str, Any]]:
        """The stored events of a job."""
        response = await self.fetch(
            "GET", f"/jobs/{job_id}/events?after={after}", headers={"Accept": "application/json"}
        )
        found: list[dict[str, Any]] = json.loads(response.body)["events"]
        return found


async def until(true: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait for what the server does by itself."""
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def log(text: str, stream: str = "stdout") -> dict[str, Any]:
    """A log event as a runner sends it."""
    return {"type": "log", "stream": stream, "text": text}


def parse_sse(body: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, event, data) of every event in a stream; comments are left out."""
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


@asynccontextmanager
async def serve(
    monkeypatch: Any, state_dir: Path, *arguments: str, base_url: str = "/"
) -> AsyncIterator[Server]:
    """A server for the length of the block."""
    moving: list[FakeMoving] = []

    def build(relay: Relay) -> FakeMoving:
        moving.append(FakeMoving(relay))
        return moving[0]

    monkeypatch.setenv("CUMULUS_TOKEN", TOKEN)
    monkeypatch.setattr(CumulusApp, "build_relay", lambda self, config: Relay(config, build))
    monkeypatch.setattr(HeadlessServer, "init_signal", lambda self: None)
    monkeypatch.setattr(HeadlessServer, "_init_asyncio_patch", staticmethod(lambda: None))
    argv = [f"--Cumulus.state_dir={state_dir}", f"--ServerApp.base_url={base_url}", *arguments]
    serverapp = CumulusApp.initialize_server(argv=argv)
    app = serverapp.extension_manager.extension_apps["cumulus_server"].copy().pop()
    await asyncio.sleep(0)
    try:
        await app._start_jupyter_server_extension(serverapp)
        yield Server(serverapp, app, moving[0])
    finally:
        AsyncHTTPClient().close()
        await serverapp._cleanup()
        await serverapp.http_server.close_all_connections()
        HeadlessServer.clear_instance()
