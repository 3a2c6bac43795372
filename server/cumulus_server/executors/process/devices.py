"""The GPUs of this machine: what NVML shows, else those declared as simulated."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ...scheduling.devices import is_nvidia
from ...scheduling.labels import capabilities_of
from ..base import Device
from .mps import running_pipe

log = logging.getLogger(__name__)

#: What a declared device claims to have, in MiB.
SIMULATED_MEMORY_MIB = 16_384


def nvidia_devices() -> list[Device]:
    """The machine's NVIDIA GPUs; none where the driver's library does not load. Blocks.

    Of a GPU that is in slices (MIG), the slices: CUDA cannot use it as a whole.
    """
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.warning("the NVIDIA driver does not answer: %s", error)
        return []
    try:
        found = _Nvml(pynvml)
        devices = [device for at in range(pynvml.nvmlDeviceGetCount()) for device in found.devices(at)]
        return [replace(device, index=at) for at, device in enumerate(devices)]
    except pynvml.NVMLError as error:
        log.warning("the NVIDIA devices cannot be listed: %s", error)
        return []
    finally:
        pynvml.nvmlShutdown()


def simulated_devices(count: int) -> list[Device]:
    """Declared devices, for a machine without one."""
    return [
        Device(
            id=f"simulated-{at}",
            name="Simulated GPU",
            memory_mib=SIMULATED_MEMORY_MIB,
            simulated=True,
            index=at,
            capabilities=frozenset({"gpu"}),
        )
        for at in range(count)
    ]


def with_mps(devices: Iterable[Device]) -> tuple[Device, ...]:
    """The devices with what holds shares of them now: an MPS daemon may come and go."""
    devices = tuple(devices)
    if not any(is_nvidia(device) for device in devices):
        return devices
    pipe = running_pipe()
    return tuple(replace(device, mps_pipe=pipe) if is_nvidia(device) else device for device in devices)


class _Nvml:
    """The library, once it answers."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        version = self._known("nvmlSystemGetCudaDriverVersion_v2", otherwise=0)
        self._cuda = f"{version // 1000}.{version % 1000 // 10}" if version else ""

    def devices(self, at: int) -> list[Device]:
        """The GPU with this number, or its slices."""
        handle = self._nvml.nvmlDeviceGetHandleByIndex(at)
        compute = self._known("nvmlDeviceGetCudaComputeCapability", handle, otherwise=())
        slices = list(self._slices(handle))
        return [self._device(each, ".".join(map(str, compute))) for each in slices or [handle]]

    def _slices(self, gpu: Any) -> Iterator[Any]:
        if self._known("nvmlDeviceGetMigMode", gpu, otherwise=(0, 0))[0]:
            for number in range(self._known("nvmlDeviceGetMaxMigDeviceCount", gpu, otherwise=0)):
                found = self._known("nvmlDeviceGetMigDeviceHandleByIndex", gpu, number, otherwise=None)
                if found is not None:
                    yield found

    def _device(self, handle: Any, compute: str) -> Device:
        name = _text(self._nvml.nvmlDeviceGetName(handle))
        return Device(
            id=_text(self._nvml.nvmlDeviceGetUUID(handle)),
            name=name,
            memory_mib=int(self._nvml.nvmlDeviceGetMemoryInfo(handle).total) // 2**20,
            kind="nvidia",
            capabilities=capabilities_of(name, compute, self._cuda),
        )

    def _known(self, function: str, *arguments: Any, otherwise: Any) -> Any:
        """What a driver may be too old to tell, or a GPU not have."""
        try:
            return getattr(self._nvml, function)(*arguments)
        except self._nvml.NVMLError:
            return otherwise


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
