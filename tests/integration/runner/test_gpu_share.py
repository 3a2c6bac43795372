"""A job's frameworks keep to its share of a GPU in every way that a runner runs a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import ServedRunner
from tests.fakes.single_runner import run_alone

FRAMEWORKS = Path(__file__).parents[2] / "fakes" / "frameworks"
SHARE = {"gpu_fraction": 0.5, "gpu_memory_mib": 40_000, "env": {"CUDA_VISIBLE_DEVICES": "GPU-a"}}
SOURCE = f"""
import os, sys
sys.path.insert(0, {str(FRAMEWORKS)!r})
import torch, jax, tensorflow
before = torch.cuda.is_initialized()
torch.cuda.init()
tensorflow.constant(1)
limits = [part.memory_limit for part in tensorflow.config.divided["/physical_device:GPU:0"]]
print(before, torch.cuda.fractions, jax.devices(), limits, os.environ["CUDA_VISIBLE_DEVICES"])
"""
HELD = "False {0: 0.5} 0.5 [40000] GPU-a\n"
IN_A_FORK = f"""
import os, sys
sys.path.insert(0, {str(FRAMEWORKS)!r})
import torch
if os.fork():
    os.wait()
else:
    torch.cuda.init()
    print(torch.cuda.fractions, os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"], flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize("shell", ["", "# IPython\n"])
def test_in_a_container(relay: FakeRelay, tmp_path: Path, shell: str) -> None:
    job = run_alone(relay, tmp_path, shell + SOURCE, assigned=SHARE)
    assert job.text("stdout") == HELD


def test_in_a_served_runner(relay: FakeRelay, runner: ServedRunner) -> None:
    job = runner.assign(FakeJob({"source": SOURCE}, env={"CUDA_VISIBLE_DEVICES": "0"}), **SHARE)
    job.wait_for_end()
    runner.read()
    assert job.text("stdout") == HELD
    # Nothing of it is left for the next one.
    left = "import os\nprint([name for name in os.environ if 'XLA' in name])"
    assert runner.run(left).text("stdout") == "[]\n"


def test_in_a_process_that_the_job_forks(relay: FakeRelay, tmp_path: Path) -> None:
    job = run_alone(relay, tmp_path, IN_A_FORK, assigned=SHARE)
    assert job.text("stdout") == "{0: 0.5} 0.5\n"
