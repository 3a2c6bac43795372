"""The relay as a program of its own, and as an extension beside another one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.homes import wait_for
from tests.patience import LIMIT_S
from tests.ports import free_port

TOKEN = "a-secret-of-the-test"


class Relay:
    """One relay process."""

    def __init__(self, state_dir: Path, *arguments: str, token: str | None = TOKEN) -> None:
        self.state_dir = state_dir
        state_dir.mkdir(exist_ok=True)
        env = {**os.environ, **({"CUMULUS_TOKEN": token} if token else {})}
        self.log = (state_dir / "relay.log").open("ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cumulus_server", f"--Cumulus.state_dir={state_dir}", *arguments],
            env=env, stdout=self.log, stderr=self.log, cwd="/",
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """What it announces, once it does."""
        while time.monotonic() - self.started < LIMIT_S:
            with contextlib.suppress(OSError, ValueError):
                found: dict[str, Any] = json.loads((self.state_dir / "relay.json").read_text())
                if found["pid"] == self.process.pid:
                    return found
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)
        raise AssertionError(self.said())

    def said(self) -> str:
        """Its log so far."""
        return (self.state_dir / "relay.log").read_text()

    def ask(self, method: str, path: str, body: Any = None, url: str | None = None) -> tuple[int, Any]:
        """One request."""
        facts = self.facts() if url is None else {"url": url, "token": TOKEN}
        request = urllib.request.Request(
            f"{facts['url']}cumulus/api/v1{path}", method=method,
            headers={"Authorization": f"Bearer {facts['token']}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def end(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(LIMIT_S)
        self.log.close()
        return status


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Where the relay of the test keeps its state."""
    return tmp_path / "state"


@pytest.fixture
def relay(state_dir: Path) -> Iterator[Relay]:
    """A running relay."""
    running = Relay(state_dir)
    yield running
    running.end()


def test_it_announces_itself_privately_and_logs_no_token(relay: Relay) -> None:
    facts = relay.facts()
    assert facts["token"] == TOKEN
    assert facts["url"].startswith("http://127.0.0.1:")
    assert facts["protocol"] == 1
    assert stat.S_IMODE((relay.state_dir / "relay.json").stat().st_mode) == 0o600
    status, health = relay.ask("GET", "/health")
    assert (status, health["relay_id"], health["status"]) == (200, facts["relay_id"], "ok")
    assert facts["url"] in relay.said()
    assert TOKEN not in relay.said()
    assert relay.end() == 0
    assert not (relay.state_dir / "relay.json").exists()


def test_without_a_given_token_it_makes_one(state_dir: Path) -> None:
    relay = Relay(state_dir, token=None)
    token = relay.facts()["token"]
    assert len(token) >= 32
    assert relay.ask("GET", "/health")[0] == 200
    assert token not in relay.said()
    relay.end()


def test_a_token_of_a_file_is_made_once_and_kept(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("CUMULUS_TOKEN_FILE", str(file))
    first = Relay(state_dir, token=None)
    made = first.facts()["token"]
    assert made == file.read_text() and len(made) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first.end()
    file.write_text("of-mine\n")
    second = Relay(state_dir, token=None)
    assert second.facts()["token"] == "of-mine"
    second.end()
    file.write_text("")
    third = Relay(state_dir, token=None)
    assert third.end(signal.SIGCONT) == 1
    assert "Write a token there, or remove it" in third.said()


def test_after_a_kill_every_job_is_there(state_dir: Path) -> None:
    first = Relay(state_dir, "--Cumulus.process_warm=0", "--Cumulus.process_slots=1")
    spec = {"program": {"kind": "cell", "source": "import time; time.sleep(600)"}}
    ids = [first.ask("POST", "/jobs", spec)[1]["id"] for _ in range(5)]
    facts = first.facts()
    first.end(signal.SIGKILL)
    second = Relay(state_dir, "--Cumulus.process_slots=1")
    assert second.facts()["relay_id"] == facts["relay_id"]
    status, listed = second.ask("GET", "/jobs")
    assert (status, [job["id"] for job in listed["jobs"]]) == (200, ids[::-1])
    for job_id in ids:
        assert second.ask("DELETE", f"/jobs/{job_id}")[0] == 200

    def all_cancelled() -> bool:
        return all(job["state"] == "CANCELLED" for job in second.ask("GET", "/jobs")[1]["jobs"])

    assert wait_for(all_cancelled, LIMIT_S, 0.1), second.ask("GET", "/jobs")
    second.end()


def test_a_second_relay_passes_on_and_takes_over(state_dir: Path, relay: Relay) -> None:
    first = relay.facts()
    port = free_port()
    second = Relay(state_dir, f"--port={port}")
    assert wait_for(lambda: "live relay of this state folder" in second.said(), LIMIT_S)
    status, answer = second.ask("GET", "/health", url=f"http://127.0.0.1:{port}/")
    assert (status, answer["relay_id"]) == (200, first["relay_id"])
    relay.end()
    assert second.facts()["relay_id"] == first["relay_id"]
    assert second.ask("GET", "/health")[0] == 200
    second.end()


def test_one_that_nobody_uses_ends(state_dir: Path) -> None:
    relay = Relay(state_dir, "--Cumulus.idle_shutdown_s=0.5")
    assert relay.process.wait(LIMIT_S) == 0
    assert "Nobody has used this relay" in relay.said()
    relay.end()


def test_a_state_folder_that_is_something_else_ends_the_start(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "bundles").write_text("in the way")
    relay = Relay(state_dir)
    assert relay.process.wait(LIMIT_S) == 1
    assert "The relay cannot start: [Errno 17] File exists" in relay.said()
    relay.end()


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--Cumulus.histroy_s=5", "histroy_s"),
        ("--Cumulus.history_s=long", "history_s"),
        ("--Cumulus.config_file=/nowhere.yaml", "/nowhere.yaml"),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(state_dir: Path, argument: str, named: str) -> None:
    relay = Relay(state_dir, argument)
    assert relay.process.wait(LIMIT_S) != 0
    assert named in relay.said()
    relay.end()
