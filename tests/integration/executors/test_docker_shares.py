"""A job in a container with a share of a GPU: what it sees of what holds it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from cumulus_server.executors.base import StartFailed
from cumulus_server.partitions.holding import NO_DEVICES, hold
from cumulus_server.scheduling.model import Device, Share

from .conftest import Containers

#: As a client of MPS does: it connects to the daemon, and maps memory that both see.
SOURCE = """
import json, os, socket
there = socket.socket(socket.AF_UNIX)
there.connect(os.environ["CUDA_MPS_PIPE_DIRECTORY"] + "/control")
there.sendall(b"hello")
with open("/dev/shm/cuda.shm.1", "r+b") as memory:
    memory.write(b"from inside")
names = ("CUDA_VISIBLE_DEVICES", "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE")
print(json.dumps([os.environ[name] for name in names]))
"""


async def test_it_reaches_the_daemon_that_holds_its_share(containers: Containers, tmp_path: Path) -> None:
    pipes, shm = tmp_path / "mps", tmp_path / "shm"
    pipes.mkdir(mode=0o755)
    shm.mkdir()
    (shm / "cuda.shm.1").write_bytes(b"-" * 11)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(pipes / "control"))
        daemon.listen()
        for path, mode in ((shm, 0o777), (shm / "cuda.shm.1", 0o666), (pipes / "control", 0o666)):
            path.chmod(mode)
        device = Device("GPU-a", "NVIDIA H100", 1000, kind="nvidia", mps_pipe="/tmp/nvidia-mps")
        held = hold([Share("GPU-a", 3)], [device])
        inside = {"/tmp/nvidia-mps": pipes, "/dev/shm": shm}
        mounts = [(str(inside[target]), target) for _, target in held.mounts]
        job = await containers.run(SOURCE, env=held.env, mounts=mounts, devices=["GPU-a"])
        assert json.loads(job.text("stdout")) == ["GPU-a", "0=300M", "30"]
        connection, _ = daemon.accept()
        with connection:
            assert connection.recv(5) == b"hello"
    assert (shm / "cuda.shm.1").read_bytes() == b"from inside"


async def test_a_daemon_that_has_gone_is_named(containers: Containers, tmp_path: Path) -> None:
    gone = tmp_path / "mps"
    with pytest.raises(StartFailed) as failed:
        await containers.start("1", mounts=[(str(gone), "/tmp/nvidia-mps")])
    assert f"The folder {gone} of the MPS daemon is not there" in failed.value.message
    assert not failed.value.permanent and containers.world.left() == []


async def test_a_job_without_a_gpu_is_shown_none(containers: Containers) -> None:
    names = "('CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES')"
    job = await containers.run(f"import os\nprint([os.environ[name] for name in {names}])", env=NO_DEVICES)
    assert job.text("stdout") == "['', 'void']\n"
