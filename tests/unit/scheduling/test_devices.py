"""The devices that local processes offer: NVML's, else declared ones."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest

from cumulus_server.executors.process.devices import nvidia_devices, simulated_devices
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
    }
    return SimpleNamespace(**(calls | more))


def test_nvml_tells_the_real_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    assert nvidia_devices() == [Device(f"GPU-{at}", "NVIDIA H100", 81920) for at in range(2)]


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
