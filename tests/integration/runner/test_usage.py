"""What a job uses is told while it runs, first after a second."""

from __future__ import annotations

from tests.fakes.runner_relay import FakeJob
from tests.fakes.served_runner import ServedRunner


def test_a_short_job_has_its_memory_too(runner: ServedRunner) -> None:
    job = runner.run("import time\nkept = bytearray(50_000_000)\ntime.sleep(1.5)\ndel kept, time")
    (used,) = job.of_type("resources")
    assert used["memory_bytes"] > 50_000_000 and used["cpu_percent"] >= 0
    assert used["gpu_percent"] is used["gpu_memory_bytes"] is None


def test_a_gpu_without_a_driver_costs_the_figures_only(runner: ServedRunner) -> None:
    cell = FakeJob({"source": "import time\nprint('here')\ntime.sleep(1.5)\ndel time"})
    job = runner.assign(cell, env={"CUDA_VISIBLE_DEVICES": "GPU-none"})
    job.wait_for_end()
    runner.read()
    assert job.outcome == {"state": "COMPLETED", "message": "", "error": None}
    (used,) = job.of_type("resources")
    assert used["gpu_percent"] is used["gpu_memory_bytes"] is None and job.text("stdout") == "here\n"
    assert runner.log.read_text() == ""
