"""The few things that only the C library can do; each is passed over where it can't."""

from __future__ import annotations

from typing import Any, Optional

_PR_SET_CHILD_SUBREAPER = 36
_library: Optional[Any] = None


def load() -> None:
    """Find the C library; lines that C code prints are written as they end from now on."""
    global _library
    try:
        import ctypes

        _library = ctypes.CDLL(None)
        stdout = ctypes.c_void_p.in_dll(_library, "stdout")
        _library.setvbuf(stdout, None, 1, 0)  # 1: line-buffered.
    except (ImportError, OSError, AttributeError, ValueError):
        pass


def flush() -> None:
    """Write out what C code has printed so far."""
    if _library is not None:
        _library.fflush(None)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none escapes."""
    if _library is not None:
        _library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def system_call(number: int, *arguments: Any) -> None:
    """Make a system call that may fail."""
    if _library is not None:
        _library.syscall(number, *arguments)
