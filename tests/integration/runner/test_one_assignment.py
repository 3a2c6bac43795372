"""A runner that is given one assignment in a file, as in a container."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

from cumulus_runner.container import KillCounter
from cumulus_runner.one_job import UNREPORTED
from cumulus_server.executors.luggage import pack_zip
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import result_values
from tests.fakes.single_runner import SingleRunner, run_alone
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


def test_a_fenced_runner_ends_its_job_at_once(relay: FakeRelay, tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    source = f"import time\nprint('on')\ntry:\n    time.sleep(600)\nfinally:\n    open({str(mark)!r}, 'w')"
    job = FakeJob({"source": source})
    runner = SingleRunner(relay, tmp_path, job, grace_s=600.0)
    job.wait_for_text("on\n")
    job.fenced = True
    assert runner.wait() == UNREPORTED and "fenced" in runner.said
    assert job.outcome is None and not mark.exists()


def test_terminated_it_cancels_its_job_and_reports(relay: FakeRelay, tmp_path: Path) -> None:
    source = "import time\ntry:\n    print('on')\n    time.sleep(600)\nfinally:\n    print('cleaned')"
    job = FakeJob({"source": source})
    runner = SingleRunner(relay, tmp_path, job)
    job.wait_for_text("on\n")
    runner.process.terminate()
    assert job.wait_for_end()["state"] == "CANCELLED" and job.text("stdout") == "on\ncleaned\n"
    assert runner.wait() == 0


def test_what_the_job_leaves_running_ends_with_it(relay: FakeRelay, tmp_path: Path) -> None:
    source = (
        "import subprocess\n"
        "p = subprocess.run(['sh', '-c', 'setsid sleep 600 >&2 & echo $!'], stdout=-1)\n"
        "print(p.stdout.decode())"
    )
    job = run_alone(relay, tmp_path, source)
    assert not Path(f"/proc/{job.text('stdout').strip()}").exists()


def test_a_job_killed_by_its_own_hand_did_not_run_out_of_memory(relay: FakeRelay, tmp_path: Path) -> None:
    """The kernel's own count tells, where it can be read."""
    job = run_alone(relay, tmp_path, "import os\nos.kill(os.getpid(), 9)")
    assert job.outcome is not None and job.outcome["state"] == "FAILED"
    if KillCounter().has_killed() is not None:
        assert "killed by SIGKILL" in job.outcome["message"]


def test_processes_of_the_jobs_own(relay: FakeRelay, tmp_path: Path) -> None:
    source = (
        "import multiprocessing, math\n"
        "print([multiprocessing.get_context(way).Pool(1).map(math.sqrt, [4, 9])"
        " for way in ('spawn', 'fork', 'forkserver')])"
    )
    job = run_alone(relay, tmp_path, source)
    assert job.text("stdout") == f"{[[2.0, 3.0]] * 3}\n"


def test_from_the_zip_in_which_it_travels(relay: FakeRelay, tmp_path: Path) -> None:
    """In an interpreter that has nothing of ours."""
    venv.EnvBuilder(symlinks=True).create(tmp_path / "venv")
    pack_zip(tmp_path / "runner.zip")
    command = (str(tmp_path / "venv" / "bin" / "python"), str(tmp_path / "runner.zip"))
    source = (
        "import multiprocessing, math, sys\n"
        "print(multiprocessing.get_context('spawn').Pool(1).map(math.sqrt, [4]))\n"
        "from cumulus_jupyter import progress\n"
        "for n in progress(range(2), label='there'): pass\n"
        "display(n)\n"
        "class C:\n    def __reduce__(self): return (list, ())\n"
        "def f(n):\n    return 1 / n\n"
        "kept = lambda: 3\n"
        "f(0)"
    )
    job = run_alone(relay, tmp_path, source, command=command, program={"pickle_results": True})
    assert job.text("stdout") == "[2.0]\n" and job.text("stderr") == ""
    assert job.error["name"] == "ZeroDivisionError" and "runner.zip" not in "".join(job.error["traceback"])
    assert job.of_type("progress") and len(job.of_type("display")) == 1
