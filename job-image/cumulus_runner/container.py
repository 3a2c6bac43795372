"""What a container tells the processes in it about its limits, in the files of either version of cgroups."""

from __future__ import annotations

import os
from typing import Optional

_ROOT = "/sys/fs/cgroup"
_KILLS = ("memory.events", "memory/memory.oom_control")
_MEMORY = ("memory.max", "memory/memory.limit_in_bytes")
#: What the first version says where there is no limit.
_NO_LIMIT_BYTES = 1 << 60


def _read(name: str) -> str:
    try:
        with open(f"{_ROOT}/{name}", encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


class KillCounter:
    """Tells whether the kernel has killed for lack of memory since this was made."""

    def __init__(self) -> None:
        self._before = _kills()

    def has_killed(self) -> Optional[bool]:
        """``None`` where it can't be known."""
        now = _kills()
        return None if now is None or self._before is None else now > self._before


def _kills() -> Optional[int]:
    for name in _KILLS:
        for line in _read(name).splitlines():
            word, _, count = line.partition(" ")
            if word == "oom_kill":
                return int(count)
    return None


def memory_limit_mib() -> Optional[int]:
    """Memory that all processes of the container may have; ``None`` where it is not limited."""
    for name in _MEMORY:
        text = _read(name).strip()
        if text.isdigit() and int(text) < _NO_LIMIT_BYTES:
            return int(text) >> 20
    return None


def shared_memory_mib() -> Optional[int]:
    """What ``/dev/shm`` can hold; ``None`` where there is none."""
    try:
        found = os.statvfs("/dev/shm")
    except OSError:
        return None
    return found.f_blocks * found.f_frsize >> 20


def processors() -> Optional[float]:
    """Processors that the container may use; ``None`` where it is not limited."""
    quota, _, period = _read("cpu.max").partition(" ")
    if not quota:
        quota, period = _read("cpu/cpu.cfs_quota_us"), _read("cpu/cpu.cfs_period_us")
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None
