"""Jobs that are cancelled, run out of time, or are not theirs any more."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import ServedRunner, result_values

WAITING = "import time\nprint('on', flush=True)\n"


def started(runner: ServedRunner, source: str, grace_s: float = 5.0, **options: object) -> FakeJob:
    job = runner.assign(FakeJob({"source": WAITING + source}, **options), grace_s=grace_s)
    job.wait_for_text("on\n")
    return job


def finished(runner: ServedRunner, job: FakeJob) -> FakeJob:
    job.wait_for_end()
    assert runner.read()["done"] == job.id
    return job


def state_of(job: FakeJob) -> str:
    assert job.outcome is not None
    return str(job.outcome["state"])


def test_cancel_lets_finally_run(runner: ServedRunner) -> None:
    job = started(runner, "kept = 1\ntry:\n    time.sleep(60)\nfinally:\n    print('cleaned')")
    began = time.monotonic()
    job.cancel.set()
    finished(runner, job)
    assert time.monotonic() - began < 1
    assert state_of(job) == "CANCELLED"
    assert job.text("stdout") == "on\ncleaned\n"
    assert job.error["name"] == "KeyboardInterrupt" and result_values(job)["kept"] == 1


def test_cancel_of_awaiting_cell(runner: ServedRunner) -> None:
    job = started(runner, "import asyncio\ntry:\n    await asyncio.sleep(60)\nfinally:\n    print('cleaned')")
    job.cancel.set()
    assert state_of(finished(runner, job)) == "CANCELLED" and "cleaned" in job.text("stdout")


def test_cancel_of_shell_command(runner: ServedRunner) -> None:
    job = started(runner, "!sleep 60\nprint('went on')")
    job.cancel.set()
    assert state_of(finished(runner, job)) == "CANCELLED" and "went on" not in job.text("stdout")


def test_cancel_ignored_ends_after_the_grace(runner: ServedRunner) -> None:
    job = started(
        runner,
        "while True:\n    try:\n        while True: sum(range(9))\n"
        "    except KeyboardInterrupt:\n        print('no')",
        grace_s=0.5,
    )
    began = time.monotonic()
    job.cancel.set()
    finished(runner, job)
    assert 0.4 < time.monotonic() - began < 2
    assert state_of(job) == "CANCELLED" and job.text("stdout") == "on\nno\n"


def test_cancelled_before_it_began(runner: ServedRunner) -> None:
    job = runner.run("print('never')", cancel_requested=True)
    assert state_of(job) == "CANCELLED" and not job.of_type("log", "error")


def test_deadline(runner: ServedRunner) -> None:
    job = started(runner, "time.sleep(60)", duration_s=0.3)
    finished(runner, job)
    assert job.outcome is not None
    assert job.outcome["error"]["code"] == "DEADLINE_EXCEEDED"
    assert job.outcome["message"] == "Job exceeded allocated duration of 0.3 seconds"


def test_sigterm_cancels_and_ends_the_runner(own_runner: ServedRunner) -> None:
    job = started(own_runner, "time.sleep(60)")
    os.kill(own_runner.pid, signal.SIGTERM)
    assert state_of(finished(own_runner, job)) == "CANCELLED"
    assert own_runner.process.wait(10) == 0


def test_sigterm_when_idle(own_runner: ServedRunner) -> None:
    own_runner.process.terminate()
    assert own_runner.process.wait(10) == 0


def test_hanging_up_lets_the_job_finish(relay: FakeRelay, tmp_path: Path) -> None:
    runner = ServedRunner(relay, tmp_path)
    job = started(runner, "time.sleep(0.3)\nprint('finished')")
    runner._socket.shutdown(2)
    job.wait_for_end()
    assert state_of(job) == "COMPLETED" and "finished" in job.text("stdout")
    assert runner.process.wait(10) == 0
    runner.close()


def test_killed_runner_takes_its_job_along(relay: FakeRelay, tmp_path: Path) -> None:
    runner = ServedRunner(relay, tmp_path)
    job = started(runner, "import os\nprint(os.getpid(), os.getppid(), flush=True)\ntime.sleep(600)")
    job.wait_for(lambda: len(job.text("stdout").split()) == 3)
    _, child, nursery = job.text("stdout").split()
    runner.process.kill()
    runner.process.wait(10)
    until = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") and _alive(pid) for pid in (child, nursery)):
        assert time.monotonic() < until
        time.sleep(0.01)
    runner.close()


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_fenced_job_is_ended_at_once(runner: ServedRunner) -> None:
    job = started(runner, "while True:\n    print('.')\n    time.sleep(0.01)", grace_s=60)
    job.fenced = True
    assert runner.read()["done"] == job.id
    assert job.outcome is None
    assert runner.run("1").result["json"] == 1


def test_claimed_by_another(runner: ServedRunner) -> None:
    job = FakeJob({"source": "print('never')"})
    job.session_key = "another's"
    runner.assign(job)
    assert runner.read()["done"] == job.id
    assert not job.events
    assert runner.run("1").result["json"] == 1


def test_runner_file_names_the_processes(runner: ServedRunner) -> None:
    import json

    job = started(runner, "time.sleep(0.2)")
    facts = json.loads((runner.folder / "jobs" / job.id / "1" / "runner.json").read_text())
    assert facts["pid"] == runner.pid and facts["job_id"] == job.id and facts["attempt"] == 1
    stat = Path(f"/proc/{runner.pid}/stat").read_text().rpartition(")")[2].split()
    assert facts["start_ticks"] == int(stat[19])
    finished(runner, job)
    assert not (runner.folder / "jobs" / job.id / "1" / "work").exists()
