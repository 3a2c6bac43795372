"""What a job uses of its GPUs, as a driver's library tells it that is made up here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cumulus_runner import nvml, usage
from cumulus_runner.gpu_usage import GpuMeter, measure
from cumulus_runner.loop import Loop
from cumulus_runner.nvml import Nvml
from cumulus_runner.usage import UsageReports, visible_devices
from tests.patience import LIMIT_S

GIB = 2**30
NOT_SUPPORTED, NOT_FOUND = 3, 6


class Driver:
    """As ``libnvidia-ml.so.1``, with what ctypes passes taken apart."""

    def __init__(self) -> None:
        self.devices = ["GPU-aaaa-1", "GPU-bbbb-2", "MIG-cccc-3"]
        self.percent = [30, 60, None]
        self.used = [4 * GIB, 2 * GIB, GIB]
        self.running: list[list[tuple[int, int]]] = [[], [], []]
        self.calls: list[str] = []

    def nvmlInit_v2(self) -> int:
        self.calls.append("init")
        return 0

    def nvmlShutdown(self) -> int:
        self.calls.append("shutdown")
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 2  # Slices are not among those that are counted.
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, at: Any, handle: Any) -> int:
        handle._obj.value = at.value + 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:
        if uuid.decode() not in self.devices:
            return NOT_FOUND
        handle._obj.value = self.devices.index(uuid.decode()) + 1
        return 0

    def nvmlDeviceGetUUID(self, device: Any, text: Any, size: Any) -> int:
        text.value = self.devices[device.value - 1].encode()
        return 0

    def nvmlDeviceGetUtilizationRates(self, device: Any, told: Any) -> int:
        percent = self.percent[device.value - 1]
        if percent is None:
            return NOT_SUPPORTED
        told._obj.gpu = percent
        return 0

    def nvmlDeviceGetMemoryInfo_v2(self, device: Any, told: Any) -> int:
        assert told._obj.version == 0x2000028
        told._obj.used = self.used[device.value - 1]
        return 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, device: Any, count: Any, told: Any) -> int:
        running = self.running[device.value - 1]
        for process, (pid, used) in zip(told, running, strict=False):
            process.pid, process.used = pid, used
        count._obj.value = len(running)
        return 0


class OldDriver(Driver):
    """One that knows the older words only."""

    nvmlDeviceGetMemoryInfo_v2 = None
    nvmlDeviceGetComputeRunningProcesses_v2 = Driver.nvmlDeviceGetComputeRunningProcesses_v3
    nvmlDeviceGetComputeRunningProcesses_v3 = None  # type: ignore[assignment]

    def nvmlDeviceGetMemoryInfo(self, device: Any, told: Any) -> int:
        told._obj.used = self.used[device.value - 1]
        return 0


def measured(driver: Driver, visible: str, *pids: int, whole: bool = True) -> tuple[float | None, int | None]:
    library = Nvml(driver)
    return measure(library, library.devices(visible), pids, whole)


@pytest.mark.parametrize("kind", [Driver, OldDriver])
def test_the_jobs_own_processes(kind: type[Driver]) -> None:
    driver = kind()
    driver.running[0] = [(7, GIB), (8, GIB), (9, 2 * GIB)]
    assert measured(driver, "GPU-aaaa-1", 7, 8, whole=False) == (30.0, 2 * GIB)


@pytest.mark.parametrize("kind", [Driver, OldDriver])
def test_where_they_are_not_shown(kind: type[Driver]) -> None:
    """As in a container: whole devices are the job's, a part of one cannot be told from the rest."""
    driver = kind()
    assert measured(driver, "GPU-aaaa-1", 7) == (30.0, 4 * GIB)
    driver.running[0] = [(4711, 4 * GIB)]
    assert measured(driver, "GPU-aaaa-1", 7) == (30.0, 4 * GIB)
    assert measured(driver, "GPU-aaaa-1", 7, whole=False) == (30.0, None)
    driver.running[0] = [(7, (1 << 64) - 1)]
    assert measured(driver, "GPU-aaaa-1", 7, whole=False) == (30.0, None)


def test_several_devices_and_slices() -> None:
    driver = Driver()
    assert measured(driver, "GPU-aaaa-1,GPU-bbbb-2") == (45.0, 6 * GIB)
    assert measured(driver, "MIG-cccc-3") == (None, GIB)


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("all", [1, 2]),
        ("0,1", [1, 2]),
        ("1", [2]),
        ("GPU-bb", [2]),
        ("1, GPU-aaaa-1", [2, 1]),
        ("GPU-,0", []),
        ("0,-1,1", [1]),
        ("0,7,1", [1]),
        ("simulated-0", []),
    ],
)
def test_which_devices(visible: str, found: list[int]) -> None:
    assert [device.value for device in Nvml(Driver()).devices(visible)] == found


def test_no_devices_are_no_figures() -> None:
    assert measured(Driver(), "simulated-0") == (None, None)
    empty = SimpleNamespace(nvmlInit_v2=lambda: 0)
    assert measured(empty, "all") == (None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "visible"),
    [
        ({}, ""),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b", "NVIDIA_VISIBLE_DEVICES": "all"}, "GPU-a,GPU-b"),
        ({"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "GPU-a"}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "none"}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, "all"),
        ({"NVIDIA_VISIBLE_DEVICES": "3"}, "all"),
        ({"NVIDIA_VISIBLE_DEVICES": "MIG-a"}, "MIG-a"),
    ],
)
def test_which_devices_a_job_has(environment: dict[str, str], visible: str) -> None:
    assert visible_devices(environment) == visible


@pytest.fixture
def meters() -> Iterator[Callable[..., GpuMeter]]:
    made: list[GpuMeter] = []

    def make(driver: Any) -> GpuMeter:
        made.append(GpuMeter("GPU-aaaa-1", True, lambda: Nvml(driver)))
        return made[-1]

    yield make
    for meter in made:
        meter.close()
        meter._thread.join(LIMIT_S)
        assert not meter._thread.is_alive()


def answered(meter: GpuMeter) -> bool:
    waiting = threading.Event()
    for _ in range(int(LIMIT_S * 100)):
        if meter._asked_for == meter._answered:
            return True
        waiting.wait(0.01)
    return False


def test_a_driver_that_does_not_answer_is_not_asked_again(meters: Callable[..., GpuMeter]) -> None:
    driver, go_on = Driver(), threading.Event()
    asked: list[object] = []

    def hang(device: Any, told: Any) -> int:
        asked.append(device)
        go_on.wait(LIMIT_S)
        return 0

    driver.nvmlDeviceGetUtilizationRates = hang  # type: ignore[method-assign]
    meter = meters(driver)
    assert meter.latest() == (None, None)
    for _ in range(3):
        meter.ask({7})
        assert meter.latest() == (None, None)
    go_on.set()
    assert answered(meter) and len(asked) == 1 and meter.latest() == (0.0, 4 * GIB)


def test_a_driver_that_breaks_costs_the_figures_only(meters: Callable[..., GpuMeter]) -> None:
    driver = Driver()
    meter = meters(driver)
    meter.ask({7})
    assert answered(meter) and meter.latest() == (30.0, 4 * GIB)
    driver.nvmlDeviceGetUtilizationRates = lambda device, told: 1 / 0  # type: ignore
    meter.ask({7})
    assert answered(meter) and meter.latest() == (None, None)
    meter.close()
    meter._thread.join(LIMIT_S)
    assert driver.calls == ["init", "shutdown"]


def test_no_driver() -> None:
    for library in (SimpleNamespace(), SimpleNamespace(nvmlInit_v2=lambda: 9)):
        with pytest.raises(OSError, match="does not answer"):
            Nvml(library)

    def missing() -> Nvml:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    meter = GpuMeter("GPU-aaaa-1", True, missing)
    meter._thread.join(LIMIT_S)
    meter.ask({7})
    assert meter.latest() == (None, None)


def reports(
    monkeypatch: pytest.MonkeyPatch, enough: Callable[[list[dict[str, Any]]], bool], **assigned: Any
) -> list[dict[str, Any]]:
    """The first Usage events of a job, until they are enough, with seconds as milliseconds."""
    for name in ("_FIRST_S", "_EVERY_S"):
        monkeypatch.setattr(usage, name, getattr(usage, name) / 1000)
    assignment: Any = SimpleNamespace(**{"env": {}, "contained": False, "gpu_fraction": 0.0, **assigned})
    loop, seen = Loop(), list[dict[str, Any]]()

    def say(event: Any) -> None:
        seen.append(event)
        if enough(seen):
            loop.stop()

    told = UsageReports(loop, 0, assignment, say)
    loop.after(LIMIT_S, loop.stop)
    loop.run()
    told.close()
    told.close()
    loop.close()
    return seen


def test_a_job_with_a_gpu_tells_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml.ctypes, "CDLL", lambda name: Driver())
    env = {"CUDA_VISIBLE_DEVICES": "GPU-aaaa-1"}

    def told(seen: list[dict[str, Any]]) -> list[tuple[float, int]]:
        # Without figures where the driver has been slow to answer.
        found = [(event["gpu_percent"], event["gpu_memory_bytes"]) for event in seen]
        return [each for each in found if each != (None, None)]

    assert told(reports(monkeypatch, lambda seen: len(told(seen)) == 2, env=env)) == [(30.0, 4 * GIB)] * 2


@pytest.mark.parametrize("env", [{}, {"CUDA_VISIBLE_DEVICES": ""}, {"CUDA_VISIBLE_DEVICES": "GPU-aaaa-1"}])
def test_a_job_without_one_tells_of_none(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(nvml.ctypes, "CDLL", missing)
    seen = reports(monkeypatch, lambda seen: len(seen) == 2, env=env)
    assert len(seen) == 2
    assert all(event["gpu_percent"] is event["gpu_memory_bytes"] is None for event in seen)
    assert all(event["type"] == "resources" and event["memory_bytes"] >= 0 for event in seen)
