"""What a job uses is told while it runs, first after a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.runner_relay import FakeJob
from tests.fakes.served_runner import ServedRunner


def run_until_told(runner: ServedRunner, told: Path, source: str, **assigned: Any) -> FakeJob:
    """A job that holds 150 MB until a report has them."""
    held = "import os, time\nkept = b'x' * 150_000_000\n"
    wait = f"while not os.path.exists({str(told)!r}): time.sleep(0.01)\ndel kept, os, time"
    job = runner.assign(FakeJob({"source": f"{held}{source}\n{wait}"}), **assigned)
    job.wait_for(lambda: any(used["memory_bytes"] > 150_000_000 for used in job.of_type("resources")))
    told.touch()
    assert job.wait_for_end() == {"state": "COMPLETED", "message": "", "error": None}
    assert runner.read()["done"] == job.id
    return job


def test_a_jobs_memory_is_told_while_it_runs(runner: ServedRunner, tmp_path: Path) -> None:
    for used in run_until_told(runner, tmp_path / "told", "").of_type("resources"):
        assert used["cpu_percent"] >= 0
        assert used["gpu_percent"] is used["gpu_memory_bytes"] is None


def test_a_gpu_without_a_driver_costs_the_figures_only(runner: ServedRunner, tmp_path: Path) -> None:
    env = {"CUDA_VISIBLE_DEVICES": "GPU-none"}
    job = run_until_told(runner, tmp_path / "told", "print('here')", env=env)
    assert job.text("stdout") == "here\n"
    for used in job.of_type("resources"):
        assert used["gpu_percent"] is used["gpu_memory_bytes"] is None
    assert runner.log.read_text() == ""
