"""What a running job uses, told while it runs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional

from .loop import Loop, Timer
from .processes import descendants, process_facts

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment

    from .gpu_usage import GpuMeter

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: The first soon, so that a short job has one too.
_FIRST_S, _EVERY_S = 1.0, 2.0
_NO_DEVICES = ("", "void", "none", "NoDevFiles")
#: What a driver is given to answer, before what it says is left out.
_GPU_PATIENCE_S = 0.1


class UsageMeter:
    """Measures a job's first process, and all that this has started, whoever has adopted them since."""

    def __init__(self, child: int, gpus: Optional[GpuMeter] = None) -> None:
        #: Nothing else is below it while the job runs.
        self._parent = process_facts(child).get("parent", child)
        self._gpus = gpus
        self._cpu_ticks = 0
        self._at_s = time.monotonic()

    def measure(self) -> Dict[str, Any]:
        """The fields of a ``protocol.events.Usage``, without those of GPUs; CPU since the last time."""
        found = descendants(self._parent)
        processes = found.values()
        cpu_ticks = sum(facts["cpu_ticks"] for facts in processes)
        now_s = time.monotonic()
        spent_s = max(0, cpu_ticks - self._cpu_ticks) / _TICKS_PER_S
        percent = 100.0 * spent_s / max(now_s - self._at_s, 1e-3)
        self._cpu_ticks, self._at_s = cpu_ticks, now_s
        if self._gpus is not None:
            self._gpus.ask(frozenset(found))
        return {
            "type": "resources",
            "cpu_percent": round(percent, 1),
            "memory_bytes": sum(facts["resident_pages"] for facts in processes) * _PAGE_BYTES,
            "gpu_percent": None,
            "gpu_memory_bytes": None,
        }


class UsageReports:
    """Says what a job uses, every two seconds from the first on until it is closed."""

    def __init__(
        self, loop: Loop, child: int, assignment: Assignment, say: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._loop = loop
        self._say = say
        self._gpus = _gpu_meter(assignment)
        self._meter = UsageMeter(child, self._gpus)
        self._timer: Optional[Timer] = loop.after(_FIRST_S, self._measure)

    def _measure(self) -> None:
        measured = self._meter.measure()
        if self._gpus is None:
            self._report(measured)
        else:
            self._timer = self._loop.after(_GPU_PATIENCE_S, lambda: self._report(measured))

    def _report(self, measured: Dict[str, Any]) -> None:
        if self._gpus is not None:
            measured["gpu_percent"], measured["gpu_memory_bytes"] = self._gpus.latest()
        self._timer = self._loop.after(_EVERY_S, self._measure)
        self._say(measured)

    def close(self) -> None:
        """The job has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gpus is not None:
            self._gpus.close()
            self._gpus = None


def visible_devices(environment: Mapping[str, str]) -> str:
    """The job's devices, as ``CUDA_VISIBLE_DEVICES`` names them; empty where it has none.

    Of what a container's runtime was told, only whether there are any: those that it handed in are all that
    are seen there, and may be numbered anew.
    """
    cuda = environment.get("CUDA_VISIBLE_DEVICES")
    if cuda is None:
        handed_in = environment.get("NVIDIA_VISIBLE_DEVICES", "")
        return "" if handed_in in _NO_DEVICES else handed_in if "-" in handed_in else "all"
    return "" if cuda in _NO_DEVICES else cuda


def _gpu_meter(assignment: Assignment) -> Optional[GpuMeter]:
    """``None`` where the job has no NVIDIA GPU."""
    # What a container was started with is the job's as well; a process executor's own is not.
    visible = visible_devices({**(os.environ if assignment.contained else {}), **assignment.env})
    if not visible:
        return None
    from .gpu_usage import GpuMeter

    return GpuMeter(visible, whole=not assignment.gpu_fraction)
