"""A relay whose state folder or lock goes away under it: it stops, and leaves the next one alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from tests.homes import wait_for
from tests.patience import LIMIT_S

from .test_headless import Relay

WHY = "was removed or replaced while this relay used it"


def waiting_for(file: Path) -> dict[str, Any]:
    """A job that goes on until this file is there."""
    wait = f"while not pathlib.Path({str(file)!r}).exists():\n    time.sleep(0.02)"
    source = f"import pathlib, time\n{wait}\nprint('whole')"
    return {"program": {"kind": "cell", "source": source}}


def begun(relay: Relay, spec: dict[str, Any]) -> str:
    """The id of a job that runs."""
    job_id: str = relay.ask("POST", "/jobs", spec)[1]["id"]
    assert wait_for(lambda: relay.ask("GET", f"/jobs/{job_id}")[1]["state"] == "RUNNING", LIMIT_S)
    return job_id


def ends_well(relay: Relay, job_id: str) -> bool:
    """Whether the job comes to its end, and says what it has to say."""
    if not wait_for(lambda: relay.ask("GET", f"/jobs/{job_id}")[1]["ended_ms"], LIMIT_S):
        return False
    events = relay.ask("GET", f"/jobs/{job_id}/log")[1]["events"]
    return [event["text"] for event in events] == ["whole\n"]


def test_another_relay_in_the_same_place_is_left_alone(tmp_path: Path) -> None:
    state, aside, go = tmp_path / "state", tmp_path / "aside", tmp_path / "go"
    old = Relay(state)
    old.facts()
    psutil.Process(old.process.pid).suspend()
    state.rename(aside)
    new = Relay(state)
    job_id = begun(new, waiting_for(go))
    psutil.Process(old.process.pid).resume()
    assert old.process.wait(LIMIT_S) == 1
    assert WHY in (aside / "relay.log").read_text()
    assert new.facts()["pid"] == new.process.pid
    assert (state / "cumulus.db-wal").exists()  # SQLite removes an old one by its name
    go.touch()
    assert ends_well(new, job_id)
    assert new.end() == 0
    old.end()


def test_what_ran_is_taken_up_by_the_next_relay_where_the_lock_alone_is_gone(tmp_path: Path) -> None:
    state, go = tmp_path / "state", tmp_path / "go"
    old = Relay(state)
    job_id = begun(old, waiting_for(go))
    (state / "lock").unlink()
    assert old.process.wait(LIMIT_S) == 1
    assert WHY in old.said()
    assert not (state / "relay.json").exists()
    new = Relay(state)
    assert new.ask("GET", f"/jobs/{job_id}")[1]["state"] == "RUNNING"
    go.touch()
    assert ends_well(new, job_id)
    new.end()
    old.end()
