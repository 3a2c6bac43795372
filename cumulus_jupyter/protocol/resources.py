"""What a job asks for: GPU share, CPU, memory, time; and how people write these amounts.

A GPU amount is 0.1 ... 0.9 in steps of 0.1, or whole 1 ... 8, held as integer tenths so that ten
times 0.1 is exactly one device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Optional, Union

from .errors import InvalidArgument

DURATION_MIN_S = 60
DURATION_MAX_S = 86_400
DURATION_DEFAULT_S = 3_600

PRIORITY_MAX = 100
#: Begins a capability that asks for the memory of each GPU.
GPU_MEMORY = "gpu-memory:"

_MEMORY = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*$", re.IGNORECASE)
_MIB = {"": 1 / 2**20, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}


@dataclass(frozen=True)
class Resources:
    """What one job needs of a worker."""

    #: GPU amount: 0.1 ... 0.9, or whole 1 ... 8; ``None`` for no GPU.
    gpu: Optional[float] = None
    #: CPU cores; ``None`` for no limit.
    cpu: Optional[float] = None
    #: Memory limit in MiB; ``None`` for no limit.
    memory_mib: Optional[int] = None
    #: Longest run time in seconds, 60 ... 86,400.
    duration_s: int = DURATION_DEFAULT_S

    @property
    def gpu_tenths(self) -> int:
        """The GPU amount in tenths of a device; 0 for no GPU."""
        return 0 if self.gpu is None else gpu_tenths(self.gpu)


def gpu_tenths(amount: Union[str, float]) -> int:
    """Tenths of a device for a GPU amount as a person writes it.

    Raises ``InvalidArgument`` for anything but 0.1 ... 0.9 in tenths and whole 1 ... 8.
    """
    try:
        tenths = Decimal(str(amount).strip()) * 10
        if isinstance(amount, bool) or not tenths.is_finite() or tenths != int(tenths):
            raise ValueError
        value = int(tenths)
        if not (1 <= value <= 9 or (value % 10 == 0 and 10 <= value <= 80)):
            raise ValueError
    except (InvalidOperation, ValueError):
        raise InvalidArgument(
            f"Invalid GPU amount: {amount}. Must be 0.1-0.9 or whole number 1-8",
            next="Write a share such as --gpu 0.5, or whole devices such as --gpu 2.",
        ) from None
    return value


def gpu_amount(tenths: int) -> Optional[float]:
    """The amount for people: 5 -> 0.5, 20 -> 2, 0 -> None."""
    if tenths == 0:
        return None
    return tenths // 10 if tenths % 10 == 0 else tenths / 10


def duration_s(value: Union[str, int]) -> int:
    """Seconds, checked against the allowed range. Raises ``InvalidArgument``."""
    try:
        seconds = int(str(value).strip())
        if isinstance(value, bool) or not DURATION_MIN_S <= seconds <= DURATION_MAX_S:
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f"Invalid duration: {value}. Must be {DURATION_MIN_S}-{DURATION_MAX_S} seconds",
            next="Give the longest time the job may run, for example --duration 3600.",
        ) from None
    return seconds


def memory_mib(value: Union[str, int]) -> int:
    """MiB for an amount such as ``512M``, ``4G`` or ``4GiB``; a bare number is bytes.

    Raises ``InvalidArgument``.
    """
    match = _MEMORY.match(str(value))
    mib = int(float(match[1]) * _MIB[match[2].upper()]) if match else 0
    if mib < 1:
        raise InvalidArgument(
            f"Invalid memory amount: {value}. Must be at least 1M, such as 512M or 4G",
            next="Write a number with a unit: --memory 4G.",
        )
    return mib


def gpu_memory_need_mib(need: str) -> Optional[int]:
    """MiB that a capability such as ``gpu-memory:24G`` asks of each GPU; ``None`` for any other.

    G stands for 10^9 here, as GPUs are sold: one of "24 GB" tells its driver 22 to 24 GiB. GiB is 2^30.
    Raises ``InvalidArgument``.
    """
    if not need.startswith(GPU_MEMORY):
        return None
    amount = need[len(GPU_MEMORY) :]
    match = _MEMORY.match(amount)
    if not match or not match[2]:
        raise InvalidArgument(
            f"Invalid GPU memory: {amount or 'nothing'}. Must be such as 24G",
            next="Write it as --label gpu-memory:24G.",
        )
    if "i" in amount.lower():
        return int(float(match[1]) * _MIB[match[2].upper()])
    return int(float(match[1]) * 1000 ** ("KMGT".index(match[2].upper()) + 1) / 2**20)


def priority(value: Union[str, int]) -> int:
    """A place in the queue before (higher) or behind others. Raises ``InvalidArgument``."""
    try:
        steps = int(str(value).strip())
        if isinstance(value, bool) or not -PRIORITY_MAX <= steps <= PRIORITY_MAX:
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f"Invalid priority: {value}. Must be a whole number -{PRIORITY_MAX} to {PRIORITY_MAX}",
            next="Higher goes first; 0 is usual.",
        ) from None
    return steps


def cpu_cores(value: Union[str, float]) -> float:
    """CPU cores as a positive number. Raises ``InvalidArgument``."""
    try:
        cores = float(str(value))
        if isinstance(value, bool) or not 0 < cores <= 4096:
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f"Invalid CPU amount: {value}. Must be a positive number of cores",
            next="Write a number of cores, such as --cpu 2.",
        ) from None
    return cores
