"""What a running job uses."""

from __future__ import annotations

import os
import time
from typing import Any, Dict

from .processes import in_session

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class UsageMeter:
    """Measures all processes of a job's session."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._cpu_ticks = 0
        self._at_s = time.monotonic()

    def measure(self) -> Dict[str, Any]:
        """The fields of a ``protocol.events.Usage``; CPU since the last measurement."""
        processes = in_session(self._session).values()
        cpu_ticks = sum(facts["cpu_ticks"] for facts in processes)
        now_s = time.monotonic()
        spent_s = max(0, cpu_ticks - self._cpu_ticks) / _TICKS_PER_S
        percent = 100.0 * spent_s / max(now_s - self._at_s, 1e-3)
        self._cpu_ticks, self._at_s = cpu_ticks, now_s
        return {
            "type": "resources",
            "cpu_percent": round(percent, 1),
            "memory_bytes": sum(facts["resident_pages"] for facts in processes) * _PAGE_BYTES,
            "gpu_percent": None,
            "gpu_memory_bytes": None,
        }
