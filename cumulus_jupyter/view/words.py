"""A job's numbers in words: spans of time, amounts of memory, a bar."""

from __future__ import annotations

from ..protocol.events import Progress
from ..protocol.jobs import (
    CANCELLED,
    COMPLETED,
    CREATING_PARTITION,
    FAILED,
    QUEUED,
    RUNNING,
    SCHEDULING,
)

STATE_WORDS = {
    QUEUED: "queued",
    SCHEDULING: "starting",
    CREATING_PARTITION: "preparing the GPU share",
    RUNNING: "running",
    COMPLETED: "done",
    FAILED: "failed",
    CANCELLED: "cancelled",
}
_BAR_CELLS = 20


def clock(seconds: float) -> str:
    """A span of time: ``80 ms``, ``1.6 s``, ``2:05``, ``1:02:05``."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """A span of time that is only estimated: ``40 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def memory(count_bytes: float) -> str:
    """An amount of memory: ``512 MiB``, ``12.5 GiB``."""
    mib = count_bytes / 2**20
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def bar(progress: Progress) -> str:
    """How far something has come, as text."""
    label = progress.label or progress.id
    if not progress.total:
        return f"{label} {progress.done:g} {progress.unit}".rstrip()
    share = min(1.0, progress.done / progress.total)
    filled = round(share * _BAR_CELLS)
    return f"{label} {'█' * filled}{'░' * (_BAR_CELLS - filled)} {share:.0%}"
