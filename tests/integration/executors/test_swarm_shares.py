"""Devices of a Swarm's nodes, as their labels tell of them, and what a job with a share of one is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cumulus_server.executors.base import StartRequest
from cumulus_server.executors.swarm import SwarmExecutor
from cumulus_server.partitions.holding import hold
from cumulus_server.scheduling.labels import labels_of
from cumulus_server.scheduling.model import Share
from tests.contract.harness import Ends
from tests.contract.swarm_harness import SwarmHarness
from tests.rig import Rig
from tests.rig.docker import docker

WORKER = "worker1"
PIPE = "/tmp/nvidia-mps"
PROBE = {
    "cuda": "12.4",
    "driver": "550.1",
    "devices": [
        {"index": 0, "uuid": "GPU-a", "name": "NVIDIA H100", "memory_mib": 80_000, "compute": "9.0",
         "kind": "nvidia"},
        {"index": 1, "uuid": "OPENCL-1a2b3c4d-1", "name": "pthread", "memory_mib": 900, "kind": "opencl"},
    ],
    "mps": {"running": True, "pipe": PIPE},
}  # fmt: skip
SEEN = """
import json, os
names = [name for name in os.environ if name.startswith(("CUDA_", "NVIDIA_VISIBLE"))]
print(json.dumps({name: os.environ[name] for name in names}))
print(os.listdir(os.environ["CUDA_MPS_PIPE_DIRECTORY"]))
"""


@pytest.fixture
async def swarm(rig: Rig, job_image: str, tmp_path: Path) -> AsyncIterator[SwarmHarness]:
    made = SwarmHarness(tmp_path, rig, job_image)
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def worker(swarm: SwarmHarness) -> Iterator[str]:
    """A worker whose node has the labels of a host with devices, and the folder of an MPS daemon."""
    name = swarm.rig.workers[0]
    labels = swarm.change(name, Labels=labels_of(PROBE)).get("Labels") or {}
    on_machine(swarm, name, f"mkdir -p {PIPE} && touch {PIPE}/control")
    yield name
    on_machine(swarm, name, f"rm -rf {PIPE}")
    swarm.change(name, Labels=labels)


def on_machine(swarm: SwarmHarness, worker: str, script: str) -> None:
    """Run a script on the worker's machine."""
    docker("exec", f"{swarm.rig.name}-{worker}", "sh", "-c", script)


@pytest.fixture
def ends() -> Ends:
    """What is told of the ends of its containers."""
    return Ends()


@pytest.fixture
async def executor(swarm: SwarmHarness, worker: str, ends: Ends) -> AsyncIterator[SwarmExecutor]:
    """One that knows the labels."""
    made = swarm.make()
    await made.open(ends, lambda: None)
    await made.settled.wait()
    yield made
    for owned in await made.list_owned():
        await made.destroy(owned.handle)
    await made.close()


async def request_of(swarm: SwarmHarness, executor: SwarmExecutor, worker: str) -> StartRequest:
    """Three tenths of the first device; the second one too, which CUDA does not know."""
    (found,) = [each for each in await executor.fingerprint() if each.id == worker]
    first, second = found.devices
    assert (first.id, first.memory_mib, first.mps_pipe) == ("GPU-a", 80_000, PIPE)
    assert "sm_90" in first.capabilities and second.kind == "opencl"
    assert not [name for name in found.capabilities if name.startswith(("gpu.", "mps."))]
    held = hold([Share("GPU-a", 3)], [first])
    return swarm.request(
        source=SEEN, worker=worker, env=held.env, mounts=held.mounts, devices=[first.id, second.id]
    )


async def test_a_share_of_a_labelled_device(
    swarm: SwarmHarness, executor: SwarmExecutor, worker: str
) -> None:
    request = await request_of(swarm, executor, worker)
    await executor.prepare(request)
    await executor.start(request)
    await asyncio.to_thread(swarm.job(request).wait_for_end)
    (container,) = await asyncio.to_thread(swarm.containers, worker, request)
    found = swarm.workers[worker].api.inspect_container(container["Id"])
    assert "NVIDIA_VISIBLE_DEVICES=GPU-a" in found["Config"]["Env"]
    mounts = {mount["Destination"]: mount["Source"] for mount in found["Mounts"]}
    assert mounts[PIPE] == PIPE and mounts["/dev/shm"] == "/dev/shm"
    seen, folder = swarm.job(request).text("stdout").splitlines()
    assert json.loads(seen) == dict(request.env) and folder == "['control']"


async def test_a_daemon_that_has_gone_is_named(
    swarm: SwarmHarness, executor: SwarmExecutor, worker: str, ends: Ends
) -> None:
    request = await request_of(swarm, executor, worker)
    on_machine(swarm, worker, f"rm -rf {PIPE}")
    await executor.prepare(request)
    await executor.start(request)
    said = f"The folder {PIPE} of the MPS daemon is not there any more on the worker {worker}"
    assert (await ends.of(request)).status.message == said
