"""Relays that are not there yet, not there any more, or somewhere else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cumulus_jupyter.client.api import CumulusClient
from cumulus_jupyter.client.autostart import start_relay_if_dead
from cumulus_jupyter.client.stream import EventStream
from cumulus_jupyter.protocol.errors import Unavailable
from tests.homes import Home, alive, fresh_home, wait_for
from tests.patience import LIMIT_S

COUNT = 60


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A user without a relay."""
    with fresh_home() as home:
        monkeypatch.setenv("HOME", str(home.path))
        yield home


def count_slowly(to: int) -> int:
    import time

    for n in range(to):
        print(n, flush=True)
        time.sleep(0.02)
    return to


def kill_relay(home: Home) -> int:
    told = home.relay()
    assert told is not None
    os.kill(told["pid"], signal.SIGKILL)
    assert wait_for(lambda: not alive(told["pid"]), LIMIT_S)
    return int(told["pid"])


def test_several_first_cells_start_one_relay(home: Home) -> None:
    found: list[Any] = []

    def first_use() -> None:
        with CumulusClient() as client:
            found.append(client.health().relay_id)

    threads = [threading.Thread(target=first_use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1


def test_a_job_is_followed_through_the_death_of_its_relay(home: Home) -> None:
    with CumulusClient() as client:
        job = client.submit(count_slowly, COUNT)
        stream = EventStream(client.http, job.id)
        numbers, lines, before = [], [], 0
        while stream.end is None:
            for seq, event in stream.read():
                numbers.append(seq)
                lines += getattr(event, "text", "").split()
                if not before and "10" in lines:
                    before = kill_relay(home)
        assert numbers == list(range(1, len(numbers) + 1))
        assert lines == [str(n) for n in range(COUNT)]
        assert job.result(LIMIT_S) == COUNT
        told = home.relay()
        assert told is not None and told["pid"] != before


def test_a_submission_finds_the_relay_that_was_started_anew(home: Home) -> None:
    with CumulusClient() as client:
        assert client.run(count_slowly, 1) == 1
        kill_relay(home)
        assert client.run(count_slowly, 2, show_output=False) == 2
        assert "started again" in client.found.trail[-1]


@pytest.mark.parametrize("state_is_kept", [True, False])
def test_a_relay_that_has_ended_is_started_for_the_next_call(home: Home, state_is_kept: bool) -> None:
    with CumulusClient() as client:
        assert client.run(count_slowly, 1) == 1
        home.stop_relay()
        if not state_is_kept:
            shutil.rmtree(home.state_dir)
        assert client.run(count_slowly, 2, show_output=False) == 2
        assert "started again" in client.found.trail[-1]


def test_what_only_follows_a_job_does_not_call_a_relay_back(home: Home) -> None:
    home.state_dir.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(start_relay_if_dead, home.state_dir).result() is None


def test_a_relay_that_cannot_start_says_why(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.state_dir.mkdir(parents=True)
    (home.state_dir / "cumulus.yaml").write_text("no_such_setting: 1\n")
    with pytest.raises(Unavailable, match="no_such_setting"):
        CumulusClient().health()


def test_an_address_of_before_does_not_hold_up_the_start(home: Home) -> None:
    home.state_dir.mkdir(parents=True)
    stale = {"url": "http://127.0.0.1:1/", "token": "x", "pid": 1}
    (home.state_dir / "relay.json").write_text(json.dumps(stale))
    with CumulusClient() as client:
        assert client.health().status == "ok"


def test_a_relay_is_started_with_nothing_of_the_kernels(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    monkeypatch.setenv("CUMULUS_TOKEN", "not this one")
    with CumulusClient() as client:
        assert client.found.candidate.token != "not this one"
        told = home.relay()
    assert told is not None
    with open(f"/proc/{told['pid']}/environ") as file:
        names = {line.partition("=")[0] for line in file.read().split("\0")}
    assert "JPY_PARENT_PID" not in names and "CUMULUS_URL" not in names


def test_a_relay_that_died_looks_dead_to_other_processes_too(home: Home) -> None:
    with CumulusClient() as client:
        assert client.health().status == "ok"
        pid = kill_relay(home)
        assert wait_for(lambda: not os.path.exists(f"/proc/{pid}"), LIMIT_S)
