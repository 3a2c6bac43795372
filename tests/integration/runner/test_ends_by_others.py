"""Jobs that are cancelled, run out of time, or are not theirs any more."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import ServedRunner, result_values
from tests.homes import alive, wait_for
from tests.patience import LIMIT_S

WAITING = "import time\nprint('on', flush=True)\n"
#: Longer than anything is waited for: what ends a job before is something else.
NEVER_S = 10 * LIMIT_S
#: Goes on once there is such a file.
UNTIL_TOLD = "import os\nwhile not os.path.exists({gate!r}): time.sleep(0.01)\n"


def started(runner: ServedRunner, source: str, grace_s: float = NEVER_S, **options: object) -> FakeJob:
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
    source = f"kept = 1\ntry:\n    time.sleep({NEVER_S})\nfinally:\n    print('cleaned')"
    job = started(runner, source)
    job.cancel.set()
    finished(runner, job)
    assert state_of(job) == "CANCELLED"
    assert job.text("stdout") == "on\ncleaned\n"
    assert job.error["name"] == "KeyboardInterrupt" and result_values(job)["kept"] == 1


def test_cancel_of_awaiting_cell(runner: ServedRunner) -> None:
    job = started(
        runner, "import asyncio\ntry:\n    await asyncio.sleep(600)\nfinally:\n    print('cleaned')"
    )
    job.cancel.set()
    assert state_of(finished(runner, job)) == "CANCELLED" and "cleaned" in job.text("stdout")


def test_cancel_of_shell_command(runner: ServedRunner) -> None:
    job = started(runner, "!sleep 600\nprint('went on')")
    job.cancel.set()
    assert state_of(finished(runner, job)) == "CANCELLED" and "went on" not in job.text("stdout")


def test_cancel_ignored_ends_after_the_grace(runner: ServedRunner) -> None:
    job = started(
        runner,
        "while True:\n    try:\n        while True: sum(range(9))\n"
        "    except KeyboardInterrupt:\n        print('no')",
        grace_s=2.0,
    )
    began = time.monotonic()
    job.cancel.set()
    finished(runner, job)
    assert time.monotonic() - began > 1.9
    assert state_of(job) == "CANCELLED" and job.text("stdout") == "on\nno\n"


def test_cancelled_before_it_began(runner: ServedRunner) -> None:
    job = runner.run("print('never')", cancel_requested=True)
    assert state_of(job) == "CANCELLED" and not job.of_type("log", "error")


def test_deadline(runner: ServedRunner) -> None:
    job = runner.run("import time\ntime.sleep(600)", duration_s=0.3)
    assert job.outcome is not None
    assert job.outcome["error"]["code"] == "DEADLINE_EXCEEDED"
    assert job.outcome["message"] == "Job exceeded allocated duration of 0.3 seconds"


def test_sigterm_cancels_and_ends_the_runner(own_runner: ServedRunner) -> None:
    job = started(own_runner, "time.sleep(600)")
    os.kill(own_runner.pid, signal.SIGTERM)
    assert state_of(finished(own_runner, job)) == "CANCELLED"
    assert own_runner.process.wait(LIMIT_S) == 0


def test_sigterm_when_idle(own_runner: ServedRunner) -> None:
    own_runner.process.terminate()
    assert own_runner.process.wait(LIMIT_S) == 0


def test_hanging_up_lets_the_job_finish(relay: FakeRelay, tmp_path: Path) -> None:
    runner = ServedRunner(relay, tmp_path)
    gate = tmp_path / "gate"
    job = started(runner, UNTIL_TOLD.format(gate=str(gate)) + "print('finished')")
    runner._socket.shutdown(2)
    gate.touch()
    job.wait_for_end()
    assert state_of(job) == "COMPLETED" and "finished" in job.text("stdout")
    assert runner.process.wait(LIMIT_S) == 0
    runner.close()


def test_killed_runner_takes_its_job_along(relay: FakeRelay, tmp_path: Path) -> None:
    runner = ServedRunner(relay, tmp_path)
    job = started(runner, "import os\nprint(os.getpid(), os.getppid(), flush=True)\ntime.sleep(600)")
    job.wait_for(lambda: len(job.text("stdout").split()) == 3)
    _, child, nursery = job.text("stdout").split()
    runner.process.kill()
    runner.process.wait(LIMIT_S)
    assert wait_for(lambda: not alive(int(child)) and not alive(int(nursery)), LIMIT_S)
    runner.close()


def test_a_runner_that_can_start_no_more_jobs_ends(own_runner: ServedRunner) -> None:
    """As where the kernel has killed what forks them: the job goes, and another runner is needed."""
    job = started(own_runner, "import os\nprint(os.getpid(), os.getppid(), flush=True)\ntime.sleep(600)")
    job.wait_for(lambda: len(job.text("stdout").split()) == 3)
    child, nursery = map(int, job.text("stdout").split()[1:])
    os.kill(nursery, signal.SIGKILL)
    assert state_of(finished(own_runner, job)) == "FAILED"
    assert own_runner.process.wait(LIMIT_S) == 0
    assert wait_for(lambda: not alive(child), LIMIT_S)


def test_an_idle_runner_that_can_start_no_jobs_ends(own_runner: ServedRunner) -> None:
    job = own_runner.run("import os\nos.getppid()")
    os.kill(job.result["json"], signal.SIGKILL)
    assert own_runner.process.wait(LIMIT_S) == 0


def test_fenced_job_is_ended_at_once(runner: ServedRunner) -> None:
    job = started(runner, "while True:\n    print('.')\n    time.sleep(0.01)")
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


def test_runner_file_names_the_processes(runner: ServedRunner, tmp_path: Path) -> None:
    import json

    gate = tmp_path / "gate"
    job = started(runner, UNTIL_TOLD.format(gate=str(gate)))
    facts = json.loads((runner.folder / "jobs" / job.id / "1" / "runner.json").read_text())
    assert facts["pid"] == runner.pid and facts["job_id"] == job.id and facts["attempt"] == 1
    stat = Path(f"/proc/{runner.pid}/stat").read_text().rpartition(")")[2].split()
    assert facts["start_ticks"] == int(stat[19])
    gate.touch()
    finished(runner, job)
    assert not (runner.folder / "jobs" / job.id / "1" / "work").exists()
