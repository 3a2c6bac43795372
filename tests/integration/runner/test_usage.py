"""What a job uses is told while it runs, first after a second."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cumulus_runner import processes
from tests.fakes.runner_relay import FakeJob
from tests.fakes.served_runner import ServedRunner


def run_until_told(
    runner: ServedRunner, told: Path, source: str, least_bytes: int = 150_000_000, **assigned: Any
) -> FakeJob:
    """A job that holds 150 MB, and ends once a report has as much as it should."""
    held = "import os, time\nkept = b'x' * 150_000_000\n"
    wait = f"while not os.path.exists({str(told)!r}): time.sleep(0.01)\ndel kept, os, time"
    job = runner.assign(FakeJob({"source": f"{held}{source}\n{wait}"}), **assigned)
    job.wait_for(lambda: any(used["memory_bytes"] > least_bytes for used in job.of_type("resources")))
    told.touch()
    assert job.wait_for_end() == {"state": "COMPLETED", "message": "", "error": None}
    assert runner.read()["done"] == job.id
    return job


def test_a_jobs_memory_is_told_while_it_runs(runner: ServedRunner, tmp_path: Path) -> None:
    for used in run_until_told(runner, tmp_path / "told", "").of_type("resources"):
        assert used["cpu_percent"] >= 0
        assert used["gpu_percent"] is used["gpu_memory_bytes"] is None


def test_processes_that_left_the_jobs_session_count_too(runner: ServedRunner, tmp_path: Path) -> None:
    """As launchers of distributed training begin them; one has lost its parent as well."""
    begin = (
        "import subprocess, sys\n"
        "code = 'kept = bytearray(100_000_000); print(flush=True); import time; time.sleep(600)'\n"
        "command = [sys.executable, '-c', code]\n"
        "one = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)\n"
        "two = subprocess.Popen(['sh', '-c', 'setsid \"$@\" &', 'sh', *command], stdout=subprocess.PIPE)\n"
        "for begun in (one, two): begun.stdout.readline()\n"
        "del one, two, begun, subprocess, sys"
    )
    run_until_told(runner, tmp_path / "told", begin, least_bytes=350_000_000)


@pytest.mark.parametrize("kernel_lists_children", [True, False])
def test_processes_that_have_ended_have_used_what_they_have(
    monkeypatch: pytest.MonkeyPatch, kernel_lists_children: bool
) -> None:
    burn = "import time\nwhile time.process_time() < 0.1: pass"
    burnt = f"import subprocess, sys\nfor _ in range(3): subprocess.run([sys.executable, '-c', {burn!r}])"
    command = [sys.executable, "-c", f"{burnt}\nprint(flush=True)\nsys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stdout.readline()
        if not kernel_lists_children:
            monkeypatch.setattr(processes.os.path, "exists", lambda path: False)
        facts = processes.descendants(os.getpid())[process.pid]
        monkeypatch.undo()
        process.stdin.close()
    assert facts["cpu_ticks"] >= 0.3 * os.sysconf("SC_CLK_TCK") and facts["parent"] == os.getpid()


def test_a_gpu_without_a_driver_costs_the_figures_only(runner: ServedRunner, tmp_path: Path) -> None:
    env = {"CUDA_VISIBLE_DEVICES": "GPU-none"}
    job = run_until_told(runner, tmp_path / "told", "print('here')", env=env)
    assert job.text("stdout") == "here\n"
    for used in job.of_type("resources"):
        assert used["gpu_percent"] is used["gpu_memory_bytes"] is None
    assert runner.log.read_text() == ""
