"""What a host tells of its devices: by stand-ins of the libraries that know them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cumulus_worker import devices, mps, nvml, opencl, probe
from cumulus_worker.devices import Device

GIB = 1 << 30


class Gpu:
    """What a stand-in of NVIDIA's library says of one GPU or slice."""

    def __init__(
        self, name: str, gib: int, *, slices: tuple[Gpu, ...] | None = None, lost: bool = False
    ) -> None:
        self.name, self.gib, self.slices, self.lost = name, gib, slices, lost
        self.mode = 0


class FakeNvml:
    """NVIDIA's library, as far as it is asked."""

    def __init__(self, *gpus: Gpu) -> None:
        self.gpus = gpus
        self.handles: dict[int, Gpu] = {}
        self.shut = False

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlShutdown(self) -> int:
        self.shut = True
        return 0

    def nvmlSystemGetDriverVersion(self, text: Any, size: ctypes.c_uint) -> int:
        text.value = b"550.54.15"
        return 0

    def nvmlSystemGetCudaDriverVersion_v2(self, number: Any) -> int:
        number._obj.value = 12040
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.gpus)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: ctypes.c_uint, handle: Any) -> int:
        return self._give(handle, self.gpus[index.value])

    def nvmlDeviceGetMemoryInfo(self, handle: ctypes.c_void_p, memory: Any) -> int:
        gpu = self._of(handle)
        memory._obj.total = gpu.gib * GIB
        return 15 if gpu.lost else 0

    def nvmlDeviceGetUUID(self, handle: ctypes.c_void_p, text: Any, size: ctypes.c_uint) -> int:
        text.value = f"UUID-{self._of(handle).name}".encode()
        return 0

    def nvmlDeviceGetName(self, handle: ctypes.c_void_p, text: Any, size: ctypes.c_uint) -> int:
        text.value = self._of(handle).name.encode()
        return 0

    def nvmlDeviceGetCudaComputeCapability(self, handle: ctypes.c_void_p, major: Any, minor: Any) -> int:
        major._obj.value, minor._obj.value = 9, 0
        return 0

    def nvmlDeviceGetMigMode(self, handle: ctypes.c_void_p, now: Any, then: Any) -> int:
        slices = self._of(handle).slices
        now._obj.value = int(slices is not None)
        return 0

    def nvmlDeviceGetComputeMode(self, handle: ctypes.c_void_p, mode: Any) -> int:
        mode._obj.value = self._of(handle).mode
        return 0

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: ctypes.c_void_p, count: Any) -> int:
        count._obj.value = 7
        return 0

    def nvmlDeviceGetMigDeviceHandleByIndex(
        self, handle: ctypes.c_void_p, index: ctypes.c_uint, slice_: Any
    ) -> int:
        slices = self._of(handle).slices or ()
        return self._give(slice_, slices[index.value]) if index.value < len(slices) else 6

    def _give(self, handle: Any, gpu: Gpu) -> int:
        handle._obj.value = id(gpu)
        self.handles[id(gpu)] = gpu
        return 0

    def _of(self, handle: ctypes.c_void_p) -> Gpu:
        assert handle.value is not None
        return self.handles[handle.value]


def test_nvidias_devices() -> None:
    library = FakeNvml(Gpu("NVIDIA H100 80GB HBM3", 80), Gpu("NVIDIA L4", 24))
    driver = nvml.ask(library)
    assert (driver.version, driver.cuda) == ("550.54.15", "12.4")
    assert driver.devices == (
        Device(
            0, "UUID-NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3", 80 * 1024, compute="9.0", kind="nvidia"
        ),
        Device(1, "UUID-NVIDIA L4", "NVIDIA L4", 24 * 1024, compute="9.0", kind="nvidia"),
    )
    assert library.shut


def test_slices_stand_in_the_place_of_their_gpu() -> None:
    library = FakeNvml(Gpu("a", 80, slices=(Gpu("a 1g", 10), Gpu("a 2g", 20))), Gpu("b", 80))
    told = [(device.index, device.name, device.mig) for device in nvml.ask(library).devices]
    assert told == [(0, "a 1g", True), (1, "a 2g", True), (2, "b", False)]


def test_a_gpu_for_one_process_at_a_time_is_known() -> None:
    gpus = Gpu("a", 80), Gpu("b", 80)
    assert not nvml.ask(FakeNvml(*gpus)).exclusive
    gpus[1].mode = 3
    assert nvml.ask(FakeNvml(*gpus)).exclusive


def test_a_lost_gpu_does_not_take_the_others_along() -> None:
    library = FakeNvml(Gpu("a", 80, lost=True), Gpu("b", 80))
    assert [(device.index, device.name) for device in nvml.ask(library).devices] == [(0, "b")]


def test_an_older_driver_tells_what_it_can() -> None:
    class Older(FakeNvml):
        def __getattribute__(self, name: str) -> Any:
            if name in ("nvmlDeviceGetMigMode", "nvmlSystemGetCudaDriverVersion_v2"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    driver = nvml.ask(Older(Gpu("a", 8)))
    assert driver.cuda == "" and len(driver.devices) == 1


def test_a_driver_that_does_not_start_is_none() -> None:
    class Broken(FakeNvml):
        def nvmlInit_v2(self) -> int:
            return 9

    assert nvml.ask(Broken(Gpu("a", 8))) == nvml.Driver()


class FakeOpenCl:
    """One platform with devices; handles are places in the list."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def clGetPlatformIDs(self, most: Any, ids: Any, count: Any) -> int:
        ids[0] = 1
        count._obj.value = 1
        return 0

    def clGetDeviceIDs(self, platform: Any, kind: Any, most: Any, ids: Any, count: Any) -> int:
        for position in range(len(self.names)):
            ids[position] = position + 1
        count._obj.value = len(self.names)
        return 0 if self.names else -1

    def clGetPlatformInfo(self, platform: Any, what: Any, size: Any, text: Any, needed: Any) -> int:
        text.value = b"Portable Computing Language"
        return 0

    def clGetDeviceInfo(self, device: Any, what: ctypes.c_uint32, size: Any, value: Any, needed: Any) -> int:
        if what.value == 0x102B:
            value.value = self.names[device.value - 1].encode()
        else:
            value._obj.value = 3 * GIB
        return 0


def test_opencls_devices_have_names_that_stay() -> None:
    found = opencl.devices(FakeOpenCl("cpu", "cpu"))
    assert [(d.index, d.name, d.memory_mib, d.kind) for d in found] == [
        (0, "cpu", 3072, "opencl"),
        (1, "cpu", 3072, "opencl"),
    ]
    assert found == opencl.devices(FakeOpenCl("cpu", "cpu"))
    assert len({device.uuid for device in found}) == 2
    assert found[1].uuid.startswith("OPENCL-") and found[1].uuid.endswith("-1")
    assert opencl.devices(FakeOpenCl()) == []


def test_nvidias_come_before_opencls_and_given_ones_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    of_opencl = [Device(0, "OPENCL-x-0")]
    monkeypatch.setattr(opencl, "devices", lambda: of_opencl)
    driver = nvml.Driver(devices=(Device(0, "GPU-x"),))
    assert probe.found(driver, {}) == driver.devices
    assert probe.found(nvml.Driver(), {}) == tuple(of_opencl)
    given = {"CUMULUS_CHRONOS_DEVICES": '[{"name": "Simulated", "memory_mib": 1000}]'}
    assert probe.found(driver, given) == (Device(0, "DEVICE-0", "Simulated", 1000),)


@pytest.mark.parametrize(
    "text", ["{", "7", '{"index": 0}', '[{"index": "0"}]', '[{"index": 0}, {"index": 0}]', '[{"mig": 1}]']
)
def test_given_devices_that_are_none(text: str) -> None:
    with pytest.raises(devices.BadDevices):
        devices.read(text)


@pytest.fixture
def processes(tmp_path: Path) -> Callable[[str], Path]:
    def running(name: str) -> Path:
        (tmp_path / "proc" / "42").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / "42" / "comm").write_text(f"{name}\n")
        return tmp_path / "proc"

    return running


def test_mps_runs_where_its_pipes_and_its_process_are(
    tmp_path: Path, processes: Callable[[str], Path]
) -> None:
    environ = {"CUDA_MPS_PIPE_DIRECTORY": str(tmp_path)}
    assert mps.pipe(environ, processes=processes("nvidia-cuda-mps")) == ""
    (tmp_path / "control").touch()
    assert mps.pipe(environ, processes=processes("nvidia-cuda-mps")) == str(tmp_path)
    assert mps.pipe(environ, processes=processes("bash")) == ""


def test_the_whole_probe(capsys: pytest.CaptureFixture[str]) -> None:
    told = probe.probe({"CUMULUS_CHRONOS_DEVICES": "[{}]", "CUMULUS_CHRONOS_SOCKET": "/nowhere"})
    assert list(told) == [
        "version", "hostname", "os", "machine", "python", "cpu", "memory_mib", "disk_free_mib", "driver",
        "cuda",
        "devices", "mps", "chronos", "docker",
    ]  # fmt: skip
    assert told["chronos"] == {"running": False, "backend": "", "version": ""}
    assert told["cpu"] >= 1 and told["memory_mib"] > 0 and told["disk_free_mib"] > 0
    assert probe.main(["--everything"]) == 1 and "usage" in capsys.readouterr().err
