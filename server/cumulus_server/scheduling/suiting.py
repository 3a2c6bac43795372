"""Whether a worker could ever hold a job."""

from __future__ import annotations

from .model import DEVICE_TENTHS, GPU, Ask, Worker
from .packing import pack


def able(worker: Worker, ask: Ask) -> tuple[bool, ...]:
    """Which of the worker's devices offer what a job asks for that the worker itself does not."""
    missing = ask.needs - worker.capabilities - {GPU}
    return tuple(
        missing <= device.capabilities and ask.gpu_memory_mib <= device.memory_mib
        for device in worker.devices
    )


def suits(worker: Worker, ask: Ask) -> bool:
    """Whether the worker, were it free and up, could hold what is asked for."""
    return large_enough(worker, ask) and offers(worker, ask)


def large_enough(worker: Worker, ask: Ask) -> bool:
    """Whether the worker has as much as is asked for of all but devices."""
    return worker.slots > 0 and ask.cpu <= worker.cpu and ask.memory_mib <= worker.memory_mib


def offers(worker: Worker, ask: Ask) -> bool:
    """Whether the worker is where the job may go, and its devices and all else are what is asked for.

    What devices offer counts for jobs that get some. A job without one sees none, so a worker that is
    asked for by what its devices are would be of no use to it.
    """
    if ask.executor not in ("", worker.executor) or (ask.python and ask.python not in worker.pythons):
        return False
    if not ask.tenths:
        own = worker.capabilities - {GPU} if worker.devices else worker.capabilities
        return ask.needs <= own and not ask.gpu_memory_mib
    free = [DEVICE_TENTHS if good else 0 for good in able(worker, ask)]
    return pack(free, ask.tenths) is not None
