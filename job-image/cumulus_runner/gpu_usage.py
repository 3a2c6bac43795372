"""What a job uses of its GPUs, measured in a thread of the supervisor's: a driver may take long to answer.

The supervisor forks from another process, so this thread is in nobody's way. While a measurement has no
answer, there is none, and no further one is asked for.
"""

from __future__ import annotations

from typing import Any, Callable, Collection, Optional, Tuple

from .nvml import Nvml

#: Per cent, and bytes.
Measured = Tuple[Optional[float], Optional[int]]
_NOTHING: Measured = (None, None)


class GpuMeter:
    """Measures the devices ``visible``. ``whole``: the job shares none of them with others."""

    def __init__(self, visible: str, whole: bool, nvml: Callable[[], Nvml] = Nvml) -> None:
        import queue
        import threading

        self._visible, self._whole, self._nvml = visible, whole, nvml
        self._asked: queue.SimpleQueue[Optional[Collection[int]]] = queue.SimpleQueue()
        self._asked_for = self._answered = 0
        #: The newest measurement.
        self._measured: Measured = _NOTHING
        self._thread = threading.Thread(target=self._work, name="gpu usage", daemon=True)
        self._thread.start()

    def ask(self, pids: Collection[int]) -> None:
        """Measure now. ``pids`` are the job's own processes."""
        if self._asked_for == self._answered and self._thread.is_alive():
            self._asked_for += 1
            self._asked.put(pids)

    def latest(self) -> Measured:
        """What was measured when it was last asked for; nothing while there is no answer yet."""
        return self._measured if self._asked_for == self._answered else _NOTHING

    def close(self) -> None:
        """Measure no more. Does not wait."""
        self._asked.put(None)

    def _work(self) -> None:
        try:
            nvml = self._nvml()
        except OSError:
            return
        devices = nvml.devices(self._visible)
        for pids in iter(self._asked.get, None):
            try:
                self._measured = measure(nvml, devices, pids, self._whole)
            except (
                Exception
            ):  # A driver that is not as this was written for: the job has nothing to do with it.
                self._measured = _NOTHING
            self._answered += 1
        nvml.close()


def measure(nvml: Nvml, devices: Collection[Any], pids: Collection[int], whole: bool) -> Measured:
    """Mean of how busy the devices are, by whomever, and the sum of the memory used.

    The memory is that of the job's own processes, where the driver shows them under their own numbers. In a
    container it may not: then it is all that is used of the devices, if nobody else has a part of them, and
    otherwise it is not known.
    """
    busy = [percent for percent in map(nvml.percent, devices) if percent is not None]
    memory: Optional[int] = 0 if devices else None
    for device in devices:
        own = [used for pid, used in nvml.processes(device).items() if pid in pids]
        used = sum(own) if own else nvml.used_bytes(device) if whole else None
        memory = None if used is None or memory is None else memory + used
    return (round(sum(busy) / len(busy), 1) if busy else None), memory
