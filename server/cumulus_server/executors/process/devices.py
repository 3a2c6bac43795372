"""The GPUs of this machine: what NVML shows, else those declared as simulated."""

from __future__ import annotations

import ctypes
import logging
from typing import Any

from ..base import Device

log = logging.getLogger(__name__)

#: What a declared device claims to have, in MiB.
SIMULATED_MEMORY_MIB = 16_384


def nvidia_devices() -> list[Device]:
    """The machine's NVIDIA GPUs; none where the driver's library does not load. Blocks."""
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
        return [_device(pynvml, at) for at in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        log.warning("the NVIDIA devices cannot be listed: %s", error)
        return []
    finally:
        pynvml.nvmlShutdown()


def simulated_devices(count: int) -> list[Device]:
    """Declared devices, for a machine without one."""
    return [
        Device(id=f"simulated-{at}", name="Simulated GPU", memory_mib=SIMULATED_MEMORY_MIB, simulated=True)
        for at in range(count)
    ]


def _device(nvml: Any, at: int) -> Device:
    handle = nvml.nvmlDeviceGetHandleByIndex(at)
    return Device(
        id=_text(nvml.nvmlDeviceGetUUID(handle)),
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_mib=int(nvml.nvmlDeviceGetMemoryInfo(handle).total) // 2**20,
    )


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
