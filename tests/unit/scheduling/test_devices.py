"""The devices that local processes offer: NVML's, else declared ones."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cumulus_server.executors.process import devices as process_devices
from cumulus_server.executors.process.devices import nvidia_devices, simulated_devices, with_mps
from cumulus_server.executors.process.mps import running_pipe
from cumulus_server.partitions.base import BookingRequest
from cumulus_server.partitions.none import NoPartition
from cumulus_server.scheduling.model import Device, Share


class NVMLError(Exception):
    """As in pynvml."""


def nvml(**more: object) -> SimpleNamespace:
    calls = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda at: at,
        "nvmlDeviceGetUUID": lambda at: f"GPU-{at}".encode(),
        "nvmlDeviceGetName": lambda at: "NVIDIA H100",
        "nvmlDeviceGetMemoryInfo": lambda at: SimpleNamespace(total=80 * 2**30),
        "nvmlSystemGetCudaDriverVersion_v2": lambda: 12040,
        "nvmlDeviceGetCudaComputeCapability": lambda at: (9, 0),
        "nvmlDeviceGetMigMode": lambda at: (0, 0),
    }
    return SimpleNamespace(**(calls | more))


def test_nvml_tells_the_real_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    offered = frozenset({"gpu", "sm_90", "cuda-12", "cuda-12.4", "gpu-name:NVIDIA-H100"})
    assert nvidia_devices() == [
        Device(f"GPU-{at}", "NVIDIA H100", 81920, index=at, kind="nvidia", capabilities=offered)
        for at in range(2)
    ]


def test_a_gpu_in_slices_is_its_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    def slice_of(at: object, number: int) -> str:
        if number > 1:
            raise NVMLError("not found")
        return f"slice{number}"

    def mode(at: int) -> tuple[int, int]:
        if at:
            raise NVMLError("not supported")
        return 1, 1

    names = {"slice0": "MIG-a", "slice1": "MIG-b"}
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setitem(
        sys.modules,
        "pynvml",
        nvml(
            nvmlDeviceGetMigMode=mode,
            nvmlDeviceGetMaxMigDeviceCount=lambda at: 7,
            nvmlDeviceGetMigDeviceHandleByIndex=slice_of,
            nvmlDeviceGetUUID=lambda handle: names.get(handle, "GPU-b"),
        ),
    )
    found = nvidia_devices()
    assert [(device.id, device.index) for device in found] == [("MIG-a", 0), ("MIG-b", 1), ("GPU-b", 2)]
    assert all("sm_90" in device.capabilities for device in found)


def test_what_an_old_driver_does_not_tell_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NVMLError("function not found")

    unknown = dict.fromkeys(
        ("nvmlSystemGetCudaDriverVersion_v2", "nvmlDeviceGetCudaComputeCapability", "nvmlDeviceGetMigMode"),
        fail,
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setitem(sys.modules, "pynvml", nvml(**unknown))
    assert [device.capabilities for device in nvidia_devices()] == [{"gpu", "gpu-name:NVIDIA-H100"}] * 2


def test_real_devices_know_the_daemon_that_holds_shares_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_devices, "running_pipe", lambda: "/pipes")
    real, opencl, simulated = (
        Device("GPU-1", kind="nvidia"),
        Device("o", kind="opencl"),
        *simulated_devices(1),
    )
    assert [device.mps_pipe for device in with_mps([real, opencl, simulated])] == ["/pipes", "", ""]
    assert with_mps([simulated]) == (simulated,)


def test_a_control_daemon_is_known_by_its_process(tmp_path: Path) -> None:
    pipes, proc = tmp_path / "pipes", tmp_path / "proc"
    place = {"CUDA_MPS_PIPE_DIRECTORY": str(pipes)}
    assert running_pipe(place, proc) == ""
    pipes.mkdir()
    (pipes / "control").touch()
    assert running_pipe(place, proc) == ""  # it was killed
    (proc / "41").mkdir(parents=True)
    (proc / "41" / "comm").write_text("bash\n")
    (proc / "40").mkdir()
    assert running_pipe(place, proc) == ""
    (proc / "41" / "comm").write_text("nvidia-cuda-mps\n")
    assert running_pipe(place, proc) == str(pipes)


def test_a_driver_that_does_not_answer_offers_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise NVMLError("driver/library version mismatch")

    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlInit=fail))
    assert nvidia_devices() == []


def test_a_machine_without_the_library_offers_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", fail)
    assert nvidia_devices() == []


def test_a_job_sees_its_real_devices_and_cuda_sees_no_simulated_one() -> None:
    none = NoPartition()

    def seen(*devices: Device) -> str:
        shares = [Share(device.id, 10) for device in devices]
        booking = none.instant(BookingRequest("j", 1, "w", shares, devices, 60))
        assert booking is not None
        return none.environment(booking)["CUDA_VISIBLE_DEVICES"]

    assert seen(Device("GPU-1"), Device("GPU-2")) == "GPU-1,GPU-2"
    assert seen(*simulated_devices(1)) == ""
