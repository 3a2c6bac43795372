"""A runner that is given one assignment in a file, as in a container."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import result_values
from tests.patience import LIMIT_S


def test_it_runs_the_job_removes_the_file_and_ends(relay: FakeRelay, tmp_path: Path) -> None:
    job = FakeJob({"source": "print('here')\nx = 6 * 7"})
    relay.add(job)
    workdir = tmp_path / "job" / "work"
    workdir.mkdir(parents=True)
    file = tmp_path / "assignment.json"
    assignment = {
        "job_id": job.id,
        "attempt": job.attempt,
        "claim_token": job.claim_token,
        "url": relay.url,
        "workdir": str(workdir),
        "environments_dir": str(tmp_path / "environments"),
        "grace_s": 5.0,
    }
    file.write_text(json.dumps(assignment))
    command = [sys.executable, "-m", "cumulus_runner", "--assignment", str(file)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert not file.exists()
    assert job.wait_for_end()["state"] == "COMPLETED" and job.claims == 1
    assert job.text("stdout") == "here\n" and result_values(job) == {"x": 42}
