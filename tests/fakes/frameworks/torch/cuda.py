"""What is asked of CUDA before it begins waits until it does."""

from __future__ import annotations

from collections.abc import Callable

_queued_calls: list[Callable[[], None]] = []
_initialized = False
#: By number of the device.
fractions: dict[int, float] = {}


def is_initialized() -> bool:
    """Whether CUDA has begun."""
    return _initialized


def init() -> None:
    """Begin. What was asked for is done first, and what fails there fails this."""
    global _initialized
    if not _initialized:
        _initialized = True
        for work in _queued_calls:
            work()


def device_count() -> int:
    """How many devices there are, without CUDA's beginning."""
    return 1


def set_per_process_memory_fraction(fraction: float, device: int = 0) -> None:
    """Use no more than this of a device."""
    init()
    fractions[device] = fraction


def _lazy_call(work: Callable[[], None]) -> None:
    if _initialized:
        work()
    else:
        _queued_calls.append(work)
