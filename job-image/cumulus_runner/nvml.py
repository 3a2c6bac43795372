"""What the NVIDIA driver's library (NVML) tells about devices, as far as a running job needs it.

By ctypes, since a job's Python need not have anything else. Every call may take long, as drivers do.
"""

from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Optional, Sequence

LIBRARY = "libnvidia-ml.so.1"
_OK, _TOO_SMALL = 0, 7
#: What the driver says where it does not know.
_UNKNOWN = (1 << 64) - 1
_UUID_BYTES = 96
_PROCESSES = 256


class Utilization(ctypes.Structure):
    """Percent of the time in which something ran, and in which memory was read or written."""

    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class Memory(ctypes.Structure):
    """Bytes of a device."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class Memory2(ctypes.Structure):
    """Bytes of a device; what the driver keeps for itself is not among those used."""

    _fields_ = [
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class Process(ctypes.Structure):
    """A process that uses a device, and how many bytes of it."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


class Nvml:
    """The library, begun. Raises ``OSError`` where it is not there or no driver answers."""

    def __init__(self, library: Any = None) -> None:
        self._library: Any = ctypes.CDLL(LIBRARY) if library is None else library
        if self._call("nvmlInit_v2") is None:
            raise OSError("the NVIDIA driver does not answer")

    def _call(self, name: str, *arguments: Any) -> Optional[bool]:
        """True: done. ``None``: refused, or a function that this driver does not have."""
        function = getattr(self._library, name, None)
        return True if function is not None and function(*arguments) == _OK else None

    def devices(self, visible: str) -> List[Any]:
        """Those that ``CUDA_VISIBLE_DEVICES`` names: by UUID or the beginning of one, or by number.

        As CUDA does, up to the first that is not there. Numbers are NVML's, which are CUDA's on a machine
        whose GPUs are all of a kind. "all" are all.
        """
        everyone = self._all()
        if visible.strip() == "all":
            return everyone
        found: List[Any] = []
        for word in filter(None, (word.strip() for word in visible.split(","))):
            device = self._named(word, everyone)
            if device is None:
                break
            found.append(device)
        return found

    def _all(self) -> List[Any]:
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        handles = [ctypes.c_void_p() for _ in range(count.value)]
        return [
            handle
            for at, handle in enumerate(handles)
            if self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(at), ctypes.byref(handle))
        ]

    def _named(self, word: str, everyone: Sequence[Any]) -> Any:
        if word.isdigit():
            return everyone[int(word)] if int(word) < len(everyone) else None
        handle = ctypes.c_void_p()
        if self._call("nvmlDeviceGetHandleByUUID", word.encode(), ctypes.byref(handle)):
            return handle
        matching = [device for device in everyone if self._uuid(device).startswith(word)]
        return matching[0] if len(matching) == 1 else None

    def _uuid(self, device: Any) -> str:
        text = ctypes.create_string_buffer(_UUID_BYTES)
        self._call("nvmlDeviceGetUUID", device, text, ctypes.c_uint(_UUID_BYTES))
        return text.value.decode("ascii", "replace")

    def percent(self, device: Any) -> Optional[float]:
        """How busy it is; ``None`` where that is not told, as of slices (MIG)."""
        told = Utilization()
        if self._call("nvmlDeviceGetUtilizationRates", device, ctypes.byref(told)):
            return float(told.gpu)
        return None

    def used_bytes(self, device: Any) -> Optional[int]:
        """What all who use it have of its memory."""
        newer = Memory2(version=ctypes.sizeof(Memory2) | 2 << 24)
        if self._call("nvmlDeviceGetMemoryInfo_v2", device, ctypes.byref(newer)):
            return int(newer.used)
        told = Memory()
        return int(told.used) if self._call("nvmlDeviceGetMemoryInfo", device, ctypes.byref(told)) else None

    def processes(self, device: Any) -> Dict[int, int]:
        """Bytes by process, of those whose bytes are known.

        In a container there may be none, or those that the processes have outside.
        """
        count, told = ctypes.c_uint(_PROCESSES), (Process * _PROCESSES)()
        for name in ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"):
            count.value = _PROCESSES
            if self._call(name, device, ctypes.byref(count), told):
                seen = (told[at] for at in range(min(count.value, _PROCESSES)))
                return {process.pid: process.used for process in seen if process.used != _UNKNOWN}
        return {}

    def close(self) -> None:
        """Let go of the driver."""
        self._call("nvmlShutdown")
