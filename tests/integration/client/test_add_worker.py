"""``jupyter cumulus add-worker`` in a terminal: the line alone on the standard output."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.fakes.client_relay import TOKEN, FakeRelay, fake_relay
from tests.homes import fresh_home
from tests.patience import LIMIT_S


def add_worker(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it, as the command ``jupyter cumulus`` does."""
    return subprocess.run(
        [sys.executable, "-m", "cumulus_server", "add-worker", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_line_is_all_that_goes_to_the_output() -> None:
    with fake_relay() as relay:
        done = add_worker(f"--url={relay.url}", CUMULUS_TOKEN=TOKEN)
        assert (done.returncode, done.stdout) == (0, "curl ... | bash -s -- --token T\n")
        assert "works once" in done.stderr
        found = add_worker(CUMULUS_URL=relay.url, CUMULUS_TOKEN=TOKEN)
        assert found.stdout == done.stdout


def test_what_the_relay_refuses_is_told_with_what_to_do() -> None:
    told = {"code": "FAILED_PRECONDITION", "message": "no Swarm", "next": "docker swarm init", "job_id": None}
    with fake_relay(relay=FakeRelay(refuse=(409, told))) as relay:
        done = add_worker(f"--url={relay.url}", CUMULUS_TOKEN=TOKEN)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Swarm" in done.stderr and "docker swarm init" in done.stderr and "Traceback" not in done.stderr


def test_where_no_relay_runs_it_is_said_how_to_start_one() -> None:
    with fresh_home() as nobodys:
        done = add_worker(HOME=str(nobodys.path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "No relay was found" in done.stderr and "jupyter cumulus" in done.stderr
    assert add_worker("now").returncode == 2
