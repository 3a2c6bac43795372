"""Servers of one user at once: one is the live relay, and the others show what it has until it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from tests.homes import wait_for
from tests.patience import LIMIT_S

from .servers import JUPYTER_TOKEN, Server, jupyter_server, relay_server, running

CELL = {"program": {"kind": "cell", "source": "print('seen by all')"}}


def healthy(server: Server, kind: str) -> bool:
    place = server.ask("GET", "/relay").json
    return (place["kind"], place["healthy"]) == (kind, True)


def test_two_jupyter_servers_show_the_same_jobs(tmp_path: Path) -> None:
    shared = f"--Cumulus.state_dir={tmp_path / 'state'}"
    first = jupyter_server(tmp_path / "first", shared, token="")
    second = jupyter_server(tmp_path / "second", shared, token="")
    second.token = second.environment["JUPYTER_TOKEN"] = "another-secret"
    with running(first, second):
        assert wait_for(lambda: healthy(first, "embedded"), LIMIT_S)
        assert wait_for(lambda: healthy(second, "elsewhere"), LIMIT_S)
        place = second.ask("GET", "/relay").json
        assert place["url"] == first.url
        done = second.ask("POST", "/jobs", CELL, Accept="text/event-stream")
        assert b"seen by all" in done.body
        assert first.ask("GET", "/jobs").json == second.ask("GET", "/jobs").json
        assert JUPYTER_TOKEN not in str(second.ask("GET", "/relay")) + second.said()
        assert second.ask("GET", "/jobs", token=JUPYTER_TOKEN).status == 401

        with second.stream("GET", "/watch") as stream:
            stream.readline()
            first.end(signal.SIGKILL)
            while stream.readline():
                pass
        assert wait_for(lambda: healthy(second, "embedded"), LIMIT_S)
        jobs = second.ask("GET", "/jobs").json["jobs"]
        assert [job["state"] for job in jobs] == ["COMPLETED"]
        first.start()
        assert wait_for(lambda: healthy(first, "elsewhere"), LIMIT_S)
        assert first.ask("GET", "/jobs").json["jobs"] == jobs


def test_one_takes_over_where_the_other_has_lost_its_state(tmp_path: Path) -> None:
    shared = f"--Cumulus.state_dir={tmp_path / 'state'}"
    first = jupyter_server(tmp_path / "first", shared, token="")
    second = jupyter_server(tmp_path / "second", shared, token="")
    with running(first, second):
        assert wait_for(lambda: healthy(first, "embedded"), LIMIT_S)
        assert wait_for(lambda: healthy(second, "elsewhere"), LIMIT_S)
        (tmp_path / "state").rename(tmp_path / "aside")
        assert wait_for(lambda: healthy(second, "embedded"), LIMIT_S)
        assert wait_for(lambda: not first.ask("GET", "/relay").json["healthy"], LIMIT_S)
        place, refused = first.ask("GET", "/relay").json, first.ask("POST", "/jobs", CELL)
        assert "was removed or replaced while this relay used it" in place["message"]
        assert "Start the relay, or its Jupyter server, again" in place["next"]
        assert (refused.status, refused.json["message"]) == (503, place["message"])
        assert b"seen by all" in second.ask("POST", "/jobs", CELL, Accept="text/event-stream").body


def test_beside_a_relay_that_something_else_started(tmp_path: Path) -> None:
    relay = relay_server(tmp_path)
    jupyter = jupyter_server(tmp_path / "jupyter", f"--Cumulus.state_dir={tmp_path / 'state'}", token="")
    with running(relay, jupyter):
        assert wait_for(lambda: healthy(jupyter, "elsewhere"), LIMIT_S)
        job_id = relay.ask("POST", "/jobs", CELL).json["id"]
        assert jupyter.ask("GET", f"/jobs/{job_id}").json["id"] == job_id
        # It hangs: neither does it answer, nor can its place be taken.
        psutil.Process(relay.pid).suspend()
        place = jupyter.ask("GET", "/relay").json
        assert not place["healthy"]
        assert place["message"] == f"The relay at {relay.url} does not answer in time"
        psutil.Process(relay.pid).resume()
        assert healthy(jupyter, "elsewhere")
        relay.end()
        assert wait_for(lambda: healthy(jupyter, "embedded"), LIMIT_S)
        assert jupyter.ask("GET", f"/jobs/{job_id}").json["id"] == job_id
