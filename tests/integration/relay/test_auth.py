"""Every route but one is authenticated and authorized, each with its own token, and jobs have owners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth.identity import User
from tornado.web import RequestHandler

from cumulus_jupyter.protocol import API_PATH
from cumulus_jupyter.protocol.errors import Internal
from cumulus_server.elsewhere.handlers import Elsewhere
from cumulus_server.elsewhere.routes import Routes, absent_routes, elsewhere_routes
from cumulus_server.elsewhere.target import Target
from cumulus_server.handlers import ENROLMENT_ROUTES, ROUTES, network_routes, routes
from cumulus_server.handlers.base import actions_of
from cumulus_server.supervisor import Supervisor

from .harness import SPEC, TOKEN, ByName, Server

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")


def walk(routes: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Each method of each route, with something in the place of what its path names."""
    return [
        (method, re.sub(r"\(\?P<\w+>[^)]*\)", "x", pattern))
        for pattern, handler in routes
        for method in METHODS
        if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())
    ]


EVERY = walk(ROUTES)
USER = [(method, path) for method, path in EVERY if not path.startswith("/runner/")]
RUNNER = [(method, path) for method, path in EVERY if path.startswith("/runner/")]
#: Of hosts that become workers, at the door for other machines only.
HOST = walk(ENROLMENT_ROUTES)
#: The one route for everybody, at that door as well.
PUBLIC = [("GET", "/cumulus/setup-worker.sh")]


def test_every_route_is_walked() -> None:
    assert len(EVERY) == 23
    assert len(HOST) == 5
    assert ("POST", "/jobs") in USER
    assert ("PUT", "/runner/values/x") in RUNNER
    for door, served in ((routes, EVERY), (network_routes, [*RUNNER, *HOST])):
        every = walk(route[:2] for route in door(SimpleNamespace(config=SimpleNamespace(runner_url=""))))
        ours = [(method, f"/{API_PATH}{path}") for method, path in served]
        assert set(every) - set(ours) - set(PUBLIC) == set()
        assert set(ours) <= set(every)
        assert (PUBLIC[0] in every) == (door is network_routes)


@pytest.mark.parametrize(
    "stand_in",
    [
        elsewhere_routes(Elsewhere(lambda: Target("http://x/", ""), Supervisor(), "/")),
        absent_routes(Internal(), "/"),
    ],
)
def test_what_stands_in_for_a_route_is_protected_as_it_is(stand_in: Routes) -> None:
    asked = {path: given["actions"] for path, _, given in stand_in if "actions" in given}
    assert {(method, path) for path, actions in asked.items() for method in actions} == {
        (method, f"/{API_PATH}{pattern}")
        for pattern, handler in ROUTES
        for method in actions_of(handler)
        if not pattern.startswith("/runner/")
    }
    assert sum(map(len, asked.values())) == len(USER)
    for pattern, handler in ROUTES:
        if not pattern.startswith("/runner/"):
            assert asked[f"/{API_PATH}{pattern}"] == actions_of(handler)
    for _, handler, given in stand_in:
        assert handler.prepare is not RequestHandler.prepare
        for method in given.get("actions", {}):
            assert hasattr(getattr(handler, method.lower()), "__wrapped__")


async def test_nobody_gets_in_without_a_token(server: Server) -> None:
    for method, path in EVERY:
        for token in (None, "wrong", ""):
            answer = await server.fetch(method, path, token=token)
            assert answer.code in (401, 403), (method, path, token, answer.code)
            assert json.loads(answer.body)["code"] == "UNAUTHENTICATED"


async def test_a_denying_authorizer_denies_every_route(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def deny(handler: object, user: User, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return False

    monkeypatch.setattr(server.serverapp.authorizer, "is_authorized", deny)
    for method, path in USER:
        answer = await server.fetch(method, path, SPEC if (method, path) == ("POST", "/jobs") else None)
        assert answer.code == 403, (method, path, answer.code)
        assert json.loads(answer.body)["code"] == "PERMISSION_DENIED"
    assert len(asked) == len(USER)
    assert set(asked) == {("read", "cumulus"), ("execute", "cumulus"), ("write", "cumulus")}


async def test_the_servers_token_opens_no_runner_route(server: Server) -> None:
    for method, path in RUNNER:
        body = (
            {"job_id": "x", "attempt": 1, "session_key": "k" * 64, "python": "3"} if "claim" in path else None
        )
        if path == "/runner/events":
            body = {"first": 1, "events": []}
        answer = await server.fetch(method, path, body)
        assert answer.code == 401, (method, path, answer.code)


async def test_a_runners_token_opens_no_user_route(server: Server) -> None:
    _, key = await server.running()
    for method, path in USER:
        assert (await server.fetch(method, path, token=key)).code == 401


async def test_a_name_that_is_not_the_server_s_is_told_apart_from_a_wrong_token(server: Server) -> None:
    for token in (TOKEN, None):
        answer = await server.fetch("GET", "/health", token=token, headers={"Host": "relay.example"})
        told = json.loads(answer.body)
        assert (answer.code, told["code"]) == (403, "PERMISSION_DENIED")
        assert "relay.example" in told["message"] and "ServerApp.local_hostnames" in told["next"]


async def test_a_program_gets_no_cookie(server: Server) -> None:
    for header in (f"token {TOKEN}", f"Bearer {TOKEN}"):
        answer = await server.fetch("GET", "/health", token=None, headers={"Authorization": header})
        assert answer.code == 200
        assert "Set-Cookie" not in answer.headers
    assert (await server.fetch("GET", f"/health?token={TOKEN}", token=None)).code == 200


async def test_with_a_cookie_a_write_needs_the_xsrf_token(server: Server) -> None:
    answer = await server.fetch("GET", f"/health?token={TOKEN}", token=None)
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert (await server.fetch("GET", "/jobs", token=None, headers={"Cookie": cookie})).code in (200, 403)
    written = await server.fetch("POST", "/jobs", SPEC, token=None, headers={"Cookie": cookie})
    assert written.code == 403
    assert json.loads((await server.fetch("GET", "/jobs")).body)["jobs"] == []


async def test_people_see_their_own_jobs_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server.serverapp.web_app.settings, "identity_provider", ByName())
    job_id = await server.submit(token="ann")
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/logs"), ("GET", "/result"),
        ("GET", "/values/x"), ("GET", "/log"),
    ):  # fmt: skip
        answer = await server.fetch(method, f"/jobs/{job_id}{path}", token="bob")
        assert answer.code == 404, (method, path)
    assert json.loads((await server.fetch("GET", "/jobs", token="bob")).body)["jobs"] == []
    assert json.loads((await server.fetch("GET", "/stats", token="bob")).body)["active"] == 0
    mine = json.loads((await server.fetch("GET", f"/jobs/{job_id}", token="ann")).body)
    assert (mine["owner"], mine["cancel_requested"]) == ("ann", False)


async def test_a_runner_reads_values_of_its_owner_only(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cumulus_server.handlers.base.owner_of", lambda provider, user: "ann")
    job_id, key = await server.running()
    assert (await server.fetch("PUT", "/runner/values/v", b"secret", token=key)).code == 200
    monkeypatch.setattr("cumulus_server.handlers.base.owner_of", lambda provider, user: "bob")
    _, other = await server.running()
    assert (await server.fetch("GET", f"/runner/values/{job_id}/v", token=other)).code == 404


async def test_no_token_is_in_the_database(server: Server) -> None:
    job_id = await server.submit()
    token = await server.moving.begin(job_id)
    key = "5" * 64
    await server.claim(job_id, token, key)
    for file in server.relay.config.state_dir.rglob("*"):
        if file.is_file() and file.name != "relay.json":
            content = file.read_bytes()
            assert token.encode() not in content
            assert key.encode() not in content
            assert TOKEN.encode() not in content
