"""What is told to jobs that ask for what is not there, by a relay of its own without any engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import LIMIT_S

from .test_headless import Relay

PROGRAM = {"kind": "cell", "source": "x = 1"}
NOWHERE = "--Cumulus.docker_host=unix:///nonexistent/docker.sock"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay with the executors of a plain installation, on a machine without an engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        running = Relay(tmp_path_factory.mktemp("relay") / "state", NOWHERE)
    try:
        running.facts()
        yield running
    finally:
        running.end()


def told(relay: Relay, **spec: Any) -> tuple[int, str, str]:
    """The status, the code and the words of a refusal."""
    status, body = relay.ask("POST", "/jobs", {"program": PROGRAM, **spec})
    return status, body["code"], f"{body['message']} {body['next']}"


@pytest.mark.parametrize(
    ("spec", "status", "code", "words"),
    [
        ({"executor": "docker"}, 503, "UNAVAILABLE",
         ["docker", "unix:///nonexistent/docker.sock", "docker_host"]),
        ({"executor": "swarm"}, 503, "UNAVAILABLE", ["swarm", "/nonexistent/docker.sock"]),
        ({"executor": "nimbus"}, 400, "INVALID_ARGUMENT", ["Unknown executor: nimbus", "process"]),
        ({"needs": ["gpux"]}, 400, "INVALID_ARGUMENT", ["No worker offers gpux. Offered: process"]),
        ({"image": "mine"}, 400, "INVALID_ARGUMENT", ["No worker offers", "--image", "docker_host"]),
        ({"needs": ["image:mine"]}, 400, "INVALID_ARGUMENT", ["No worker offers", "--image"]),
        ({"needs": ["image:a"], "image": "b"}, 400, "INVALID_ARGUMENT", ["one image", "a and b"]),
        ({"needs": ["a b"]}, 400, "INVALID_ARGUMENT", ["Invalid capability: 'a b'"]),
        ({"image": "-v /:/host"}, 400, "INVALID_ARGUMENT", ["Invalid image"]),
        ({"resources": {"memory_mib": 1 << 30}}, 503, "RESOURCE_EXHAUSTED",
         ["sufficient memory", "--memory"]),
        ({"resources": {"cpu": 4000}}, 503, "RESOURCE_EXHAUSTED", ["sufficient CPU", "--cpu"]),
        ({"resources": {"gpu": 1}}, 503, "UNAVAILABLE", ["No GPU workers available"]),
    ],
)  # fmt: skip
def test_a_job_that_nothing_can_hold_is_refused_with_what_there_is(
    relay: Relay, spec: dict[str, Any], status: int, code: str, words: list[str]
) -> None:
    answer = told(relay, **spec)
    assert answer[:2] == (status, code), answer
    for word in words:
        assert word in answer[2]


def test_processes_run_as_if_there_were_no_other_executors(relay: Relay) -> None:
    assert relay.ask("GET", "/health")[1]["executors"] == ["process"]
    [worker] = relay.ask("GET", "/workers")[1]["workers"]
    assert (worker["id"], worker["state"], worker["capabilities"]) == ("local", "ready", ["process"])
    assert relay.ask("POST", "/jobs", {"program": PROGRAM, "needs": ["process"]})[0] == 201


def test_no_engines_client_is_loaded_where_no_engine_is(relay: Relay) -> None:
    relay.ask("POST", "/jobs", {"program": PROGRAM, "executor": "docker"})  # after the first look
    imported = {match[1] for match in re.finditer(r"\|\s+([\w.]+)$", relay.said(), re.MULTILINE)}
    assert "cumulus_server.moving" in imported
    assert not {name for name in imported if name.partition(".")[0] in ("docker", "requests", "cryptography")}


def test_an_executor_that_is_not_configured_is_told_with_how_to(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "state", "--Cumulus.executors=process")
    try:
        status, code, words = told(relay, executor="swarm")
        assert (status, code) == (400, "INVALID_ARGUMENT")
        assert "The executor swarm is not configured" in words and "Cumulus.executors" in words
    finally:
        relay.end()


def test_an_executor_that_does_not_exist_ends_the_start(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "state", "--Cumulus.executors=dokcer")
    assert relay.process.wait(LIMIT_S) == 1
    relay.end()
    assert "there is no executor 'dokcer'" in relay.said()
