"""NVIDIA's devices, asked of the driver's own library without a package."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cumulus_worker.devices import Device

_LIBRARY = "libnvidia-ml.so.1"
_TEXT_BYTES = 96


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class Failed(Exception):
    """A function of the library that is not there or said no."""


@dataclass(frozen=True)
class Driver:
    """What the driver says; nothing where there is none."""

    version: str = ""
    #: The newest CUDA that it can run, such as 12.4.
    cuda: str = ""
    devices: tuple[Device, ...] = ()
    #: Whether some GPU is only for one process at a time.
    exclusive: bool = False


def ask(library: Any = None) -> Driver:
    """The driver's answer; of a GPU in MIG mode its slices, in its place."""
    try:
        nvml = _Nvml(library if library is not None else ctypes.CDLL(_LIBRARY))
        nvml.call("nvmlInit_v2")
    except (OSError, Failed):
        return Driver()
    try:
        devices: list[Device] = []
        exclusive = False
        for handle in nvml.handles():
            # One that has fallen off the bus does not take the others with it.
            with contextlib.suppress(Failed):
                devices += nvml.devices(handle, len(devices))
                exclusive = exclusive or nvml.is_exclusive(handle)
        return Driver(nvml.version(), nvml.cuda(), tuple(devices), exclusive)
    finally:
        with contextlib.suppress(Failed):
            nvml.call("nvmlShutdown")


class _Nvml:
    def __init__(self, library: Any) -> None:
        self._library = library

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library. Raises ``Failed``."""
        try:
            status = getattr(self._library, name)(*arguments)
        except AttributeError:
            raise Failed(f"{name} is not in this driver's library") from None
        if status:
            raise Failed(f"{name} says {status}")

    def handles(self) -> Iterator[ctypes.c_void_p]:
        """The GPUs, in the order of their places on the bus."""
        for index in range(self._count()):
            handle = ctypes.c_void_p()
            with contextlib.suppress(Failed):
                self.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
                yield handle

    def devices(self, handle: ctypes.c_void_p, first: int) -> list[Device]:
        """A GPU as one device, or its slices; their indices begin with ``first``."""
        compute = self._compute(handle)
        if not self._in_mig_mode(handle):
            return [self._device(handle, first, compute, mig=False)]
        return [
            self._device(slice_, first + position, compute, mig=True)
            for position, slice_ in enumerate(self._slices(handle))
        ]

    def is_exclusive(self, handle: ctypes.c_void_p) -> bool:
        """Whether not every process may use a GPU."""
        mode = ctypes.c_uint()
        with contextlib.suppress(Failed):
            self.call("nvmlDeviceGetComputeMode", handle, ctypes.byref(mode))
        return mode.value != 0

    def version(self) -> str:
        """The driver's, "" where it does not say."""
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        with contextlib.suppress(Failed):
            self.call("nvmlSystemGetDriverVersion", text, ctypes.c_uint(_TEXT_BYTES))
        return text.value.decode(errors="replace")

    def cuda(self) -> str:
        """The newest CUDA it can run, "" where it does not say."""
        number = ctypes.c_int()
        with contextlib.suppress(Failed):
            self.call("nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(number))
        return f"{number.value // 1000}.{number.value % 1000 // 10}" if number.value else ""

    def _count(self) -> int:
        count = ctypes.c_uint()
        with contextlib.suppress(Failed):
            self.call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        return count.value

    def _device(self, handle: ctypes.c_void_p, index: int, compute: str, *, mig: bool) -> Device:
        memory = _Memory()
        self.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        uuid = self._text("nvmlDeviceGetUUID", handle)
        return Device(
            index=index,
            uuid=uuid,
            name=self._text("nvmlDeviceGetName", handle),
            memory_mib=int(memory.total >> 20),
            compute=compute,
            kind="nvidia",
            mig=mig,
        )

    def _text(self, name: str, handle: ctypes.c_void_p) -> str:
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        self.call(name, handle, text, ctypes.c_uint(_TEXT_BYTES))
        return text.value.decode(errors="replace")

    def _compute(self, handle: ctypes.c_void_p) -> str:
        major, minor = ctypes.c_int(), ctypes.c_int()
        with contextlib.suppress(Failed):
            name = "nvmlDeviceGetCudaComputeCapability"
            self.call(name, handle, ctypes.byref(major), ctypes.byref(minor))
            return f"{major.value}.{minor.value}"
        return ""

    def _in_mig_mode(self, handle: ctypes.c_void_p) -> bool:
        now, then = ctypes.c_uint(), ctypes.c_uint()
        with contextlib.suppress(Failed):
            self.call("nvmlDeviceGetMigMode", handle, ctypes.byref(now), ctypes.byref(then))
        return now.value == 1

    def _slices(self, handle: ctypes.c_void_p) -> Iterator[ctypes.c_void_p]:
        most = ctypes.c_uint()
        self.call("nvmlDeviceGetMaxMigDeviceCount", handle, ctypes.byref(most))
        for position in range(most.value):
            found = ctypes.c_void_p()
            with contextlib.suppress(Failed):
                place = ctypes.c_uint(position)
                self.call("nvmlDeviceGetMigDeviceHandleByIndex", handle, place, ctypes.byref(found))
                yield found
