"""Devices that OpenCL knows, asked of its loader without a package."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from cumulus_worker.devices import Device

_LIBRARY = "libOpenCL.so.1"
# Of the OpenCL headers.
_PLATFORM_NAME = 0x0902
_DEVICE_NAME = 0x102B
_DEVICE_GLOBAL_MEMORY_BYTES = 0x101F
_ANY_TYPE = 0xFFFFFFFF
_MOST = 64
#: Where PoCL keeps what it has compiled. It has no device where it can't write there.
_CACHE = "POCL_CACHE_DIR"


def devices(library: Any = None) -> list[Device]:
    """All of them, of all platforms; none where OpenCL is not installed."""
    try:
        loaded = library if library is not None else ctypes.CDLL(_LIBRARY)
    except OSError:
        return []
    with _own_cache():
        return _found(loaded)


@contextlib.contextmanager
def _own_cache() -> Iterator[None]:
    """A cache that can be written: PoCL's own choice in /tmp is whose who came first."""
    if _CACHE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cumulus-opencl-", ignore_cleanup_errors=True) as folder:
        os.environ[_CACHE] = folder
        try:
            yield
        finally:
            del os.environ[_CACHE]


def _found(loaded: Any) -> list[Device]:
    found: list[Device] = []
    for platform in _listed(lambda most, ids, count: loaded.clGetPlatformIDs(most, ids, count)):
        platform_name = _text(loaded.clGetPlatformInfo, platform, _PLATFORM_NAME)
        for device in _devices_of(loaded, platform):
            name = _text(loaded.clGetDeviceInfo, device, _DEVICE_NAME)
            index = len(found)
            digest = hashlib.sha256(f"{platform_name}\0{name}\0{index}".encode()).hexdigest()[:8]
            memory_mib = _number(loaded.clGetDeviceInfo, device, _DEVICE_GLOBAL_MEMORY_BYTES) >> 20
            found.append(Device(index, f"OPENCL-{digest}-{index}", name, memory_mib, kind="opencl"))
    return found


def _devices_of(library: Any, platform: ctypes.c_void_p) -> list[ctypes.c_void_p]:
    kind = ctypes.c_uint64(_ANY_TYPE)
    return _listed(lambda most, ids, count: library.clGetDeviceIDs(platform, kind, most, ids, count))


def _listed(ask: Any) -> list[ctypes.c_void_p]:
    ids = (ctypes.c_void_p * _MOST)()
    count = ctypes.c_uint32()
    if ask(ctypes.c_uint32(_MOST), ids, ctypes.byref(count)):
        return []
    return [ctypes.c_void_p(ids[position]) for position in range(min(count.value, _MOST))]


def _text(ask: Any, of: ctypes.c_void_p, what: int) -> str:
    text = ctypes.create_string_buffer(1024)
    failed = ask(of, ctypes.c_uint32(what), ctypes.c_size_t(len(text)), text, None)
    return "" if failed else text.value.decode(errors="replace").strip()


def _number(ask: Any, of: ctypes.c_void_p, what: int) -> int:
    number = ctypes.c_uint64()
    size = ctypes.c_size_t(ctypes.sizeof(number))
    failed = ask(of, ctypes.c_uint32(what), size, ctypes.byref(number), None)
    return 0 if failed else int(number.value)
