"""Time that goes on while a host sleeps, and that nobody sets."""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """The host's time since it was started, and which start that was."""

    def __init__(self) -> None:
        self.boot_id = _BOOT_ID.read_text().strip()

    def now_ms(self) -> int:
        """Milliseconds since the host's start, suspended ones included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def wall_ms(self) -> int:
        """UTC epoch milliseconds: for names only, as they may jump."""
        return time.time_ns() // 1_000_000
