"""What an executor is asked to give to a job with a share of a GPU, and what the job's states say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cumulus_server.executors.base import Device, StartRequest
from tests.fakes.executor import FakeInstance

from .bench import WORKER, Bench, virtual

H100 = Device("GPU-a", "NVIDIA H100", 80_000, kind="nvidia")
OTHER = replace(H100, id="GPU-b", index=1)
SHARED = replace(H100, mps_pipe="/tmp/nvidia-mps")
ALONE = {"CUDA_VISIBLE_DEVICES": "GPU-a", "NVIDIA_VISIBLE_DEVICES": "GPU-a"}


async def given(gpu: float | None, *devices: Device) -> tuple[StartRequest, list[dict[str, object]]]:
    """What starts a job with so much of these devices, and its states."""
    bench = Bench()
    bench.world.workers[0] = replace(WORKER, devices=devices)
    asked: list[StartRequest] = []
    runner = bench.runner

    async def behave(instance: FakeInstance) -> int:
        asked.append(instance.request)
        return await runner(instance)

    bench.world.behaviour = behave
    relay = await bench.relay()
    job_id = await relay.submit(**({} if gpu is None else {"gpu": gpu}))
    await relay.released(job_id)
    return asked[0], await bench.events(job_id)


@virtual
async def test_mps_holds_a_part() -> None:
    request, events = await given(0.5, SHARED)
    assert request.env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=40000M"
    assert ("/tmp/nvidia-mps", "/tmp/nvidia-mps") in request.mounts
    assert (request.gpu_fraction, request.gpu_memory_mib) == (0.5, 40_000)
    said = {event["state"]: event["message"] for event in events}
    assert said["SCHEDULING"] == said["RUNNING"] == "0.5 of NVIDIA H100, held by mps"
    assert said["COMPLETED"] == ""


@virtual
async def test_frameworks_hold_a_part_where_nothing_else_does() -> None:
    request, events = await given(0.3, H100)
    assert request.env == ALONE and not request.mounts
    assert (request.gpu_fraction, request.gpu_memory_mib) == (0.3, 24_000)
    running = next(event for event in events if event["state"] == "RUNNING")
    assert running["enforced_by"] == "framework" and "held by framework" in str(running["message"])


@virtual
async def test_whole_devices_are_shown_and_not_limited() -> None:
    request, events = await given(2, H100, OTHER)
    assert request.env["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"
    assert (request.gpu_fraction, request.gpu_memory_mib) == (0.0, 0)
    assert next(event for event in events if event["state"] == "RUNNING")["message"] == (
        "NVIDIA H100, NVIDIA H100"
    )


@virtual
async def test_a_job_without_a_gpu_is_shown_none() -> None:
    request, events = await given(None, SHARED)
    assert request.env == {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
    assert not request.mounts and {event["message"] for event in events} == {""}


@pytest.mark.parametrize("device", [Device("o", kind="opencl"), Device("s", simulated=True)], ids=["o", "s"])
def test_cuda_is_shown_no_other_device(device: Device) -> None:
    @virtual
    async def run() -> None:
        request, events = await given(0.5, device)
        assert request.env["CUDA_VISIBLE_DEVICES"] == "" and request.gpu_fraction == 0
        running = next(event for event in events if event["state"] == "RUNNING")
        assert "held by nothing: the share is a booking only" in str(running["message"])

    run()
