"""The description is true: requests made from it are never answered with a fault or in another shape."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import checks
from tornado.web import RequestHandler

from cumulus_jupyter.protocol.enrolment import Enrol
from cumulus_server.handlers import ENROLMENT_ROUTES, ROUTES
from cumulus_server.openapi import OPERATIONS, document
from cumulus_server.relay.watch import News, Watcher
from cumulus_server.store import Transaction, jobs
from tests.patience import LIMIT_S

from .harness import TOKEN, FakeMoving, Server, serve

CHECKS = [
    checks.not_a_server_error,
    *(
        check
        for check in checks.CHECKS.get_all()
        if check.__name__
        in ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    ),
]


#: Of a host that is becoming a worker.
HOST_KEY = "7" * 64


class EndingMoving(FakeMoving):
    """Ends every job at once, so that no stream stays open."""

    def wake(self, job_id: str) -> None:
        """Fail the job."""

        def end(tx: Transaction) -> None:
            if not jobs.get(tx, job_id).ended:
                jobs.transition(tx, job_id, "FAILED", message="ended by the test")

        self.ending = asyncio.ensure_future(self.relay.store.run(end))


class EndingWatcher(Watcher):
    """Ends when it has told how it is now, so that no stream stays open."""

    async def next(self, timeout_s: float) -> list[News]:
        """The second time there is nothing."""
        if self._told:
            self.close()
        return await super().next(timeout_s)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in a thread of its own, since schemathesis blocks."""
    started, stop = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def run() -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr("tests.integration.relay.harness.FakeMoving", EndingMoving)
            monkeypatch.setattr("cumulus_server.relay.watch.Watcher", EndingWatcher)
            folder = tmp_path_factory.mktemp("described") / "state"
            # So that the routes of new workers are served here as well.
            url = "--Cumulus.runner_url=https://relay.example/"
            async with serve(monkeypatch, folder, url) as server:
                made = await server.relay.enrolments.new_token()
                await server.relay.enrolments.enrol(made.token, Enrol(HOST_KEY, "gpu1"))
                found.extend((server, asyncio.get_running_loop()))
                started.set()
                await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(LIMIT_S)
    yield found[0]
    found[1].call_soon_threadsafe(stop.set)
    thread.join(LIMIT_S)


def test_every_route_is_described_and_nothing_else() -> None:
    served = set()
    for pattern, handler in (*ROUTES, *ENROLMENT_ROUTES):
        path = pattern
        for name in ("job_id", "name"):
            path = path.replace(f"(?P<{name}>[^/]+)", f"{{{name}}}")
        for method in ("get", "post", "put", "delete", "patch"):
            if getattr(handler, method) is not getattr(RequestHandler, method):
                served.add((method, path))
    assert served == {(operation.method, operation.path) for operation in OPERATIONS}


def test_every_reference_leads_somewhere() -> None:
    described = document("/base/")
    assert described["servers"] == [{"url": "/base/cumulus/api/v1"}]
    schemas = described["components"]["schemas"]

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].rsplit("/", 1)[1] in schemas
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(msgspec.to_builtins(described))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_requests_from_the_description_are_answered_as_it_says(described: Server, operation: Any) -> None:
    schema = schemathesis.openapi.from_dict(document("/"))
    schema.config.update(base_url=described.root)
    one = schema[operation.path][operation.method.upper()]
    key = {"server": TOKEN, "worker": HOST_KEY, "host": HOST_KEY}.get(operation.token, "5" * 64)

    @seed(20261121)
    @settings(
        max_examples=25, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=st.one_of(
            one.as_strategy(), one.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
        )
    )
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS, timeout=LIMIT_S)

    ask()


def test_the_server_is_well_after_all_that(described: Server) -> None:
    import json
    import urllib.request

    request = urllib.request.Request(f"{described.root}/health", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        assert json.load(answer)["status"] == "ok"
