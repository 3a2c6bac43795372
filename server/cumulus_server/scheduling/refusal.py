"""What is told to a job that no worker could hold, and to one that has to wait."""

from __future__ import annotations

from collections.abc import Collection

from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument, ResourceExhausted, Unavailable
from cumulus_jupyter.protocol.resources import gpu_amount

from .capacity import Capacity
from .model import DEVICE_TENTHS, Ask, Worker

#: What a worker may offer, as a person would say it.
_WORDS = {"images": "a container image of its own (--image)"}


def refusal(capacity: Capacity, ask: Ask, executors: Collection[str]) -> CumulusError | None:
    """Why no worker could ever hold the job; ``None`` where one could.

    Asked at submission, and again when workers have gone.
    """
    if ask.executor and ask.executor not in executors:
        return InvalidArgument(
            f"Unknown executor: {ask.executor}",
            next=f"Use one of: {', '.join(sorted(executors)) or 'none is configured'}.",
        )
    workers = [room.worker for room in capacity.rooms.values()]
    if capacity.could_ever(ask):
        return None
    here = [worker for worker in workers if ask.executor in ("", worker.executor)]
    missing = ask.needs - frozenset().union(*(worker.capabilities for worker in here), frozenset())
    if missing:
        return InvalidArgument(
            f"No worker offers what the job asks for: {', '.join(_WORDS.get(n, n) for n in sorted(missing))}",
            next="Leave it out, or choose an executor that offers it (%cumulus workers lists them).",
        )
    if ask.tenths and not any(worker.devices for worker in here):
        return Unavailable(
            "No GPU workers available",
            next="Leave --gpu out, add a worker with a GPU, or declare a simulated one with"
            " %cumulus config simulated_gpus=1.",
        )
    return _too_much(here, ask)


def _too_much(workers: list[Worker], ask: Ask) -> CumulusError:
    devices = max((len(worker.devices) for worker in workers), default=0)
    if ask.tenths > devices * DEVICE_TENTHS:
        return ResourceExhausted(
            f"No workers with sufficient GPU capacity (requested: {gpu_amount(ask.tenths)},"
            f" max available: {devices})",
            next=f"Ask for at most --gpu {devices}.",
        )
    memory_mib = max((worker.memory_mib for worker in workers), default=0)
    if ask.memory_mib > memory_mib:
        return ResourceExhausted(
            f"No workers with sufficient memory (requested: {ask.memory_mib} MiB,"
            f" max available: {memory_mib} MiB)",
            next=f"Ask for at most --memory {memory_mib}M.",
        )
    pythons = sorted({python for worker in workers for python in worker.pythons})
    if ask.python and ask.python not in pythons:
        return InvalidArgument(
            f"No worker has Python {ask.python}, and the job holds pickled values that only it can read",
            next=f"Pass values with a neutral encoding, or use a kernel on Python {' or '.join(pythons)}.",
        )
    return Unavailable(
        "No worker offers all that the job asks for together",
        next="Ask for less; %cumulus workers shows what each one has.",
    )


def waiting_reason(capacity: Capacity, ask: Ask) -> str:
    """Why a job that some worker could hold does not start now."""
    rooms = capacity.rooms.values()
    up = [room for room in rooms if room.worker.ready and ask.executor in ("", room.worker.executor)]
    if not up:
        return "waiting for a worker to come up"
    if all(room.slots <= 0 for room in up):
        slots = sum(room.worker.slots for room in up)
        return f"all {slots} places for jobs are taken"
    if ask.tenths >= DEVICE_TENTHS:
        most = max(room.longest_run() for room in up)
        return f"waiting for {ask.tenths // DEVICE_TENTHS} whole GPUs, {most} free together now"
    if ask.tenths and max((max(room.free, default=0) for room in up), default=0) < ask.tenths:
        most = max((max(room.free, default=0) for room in up), default=0)
        return f"waiting for {ask.tenths / 10:g} of a GPU, {most / 10:g} free on one now"
    if ask.memory_mib and all(room.memory_mib < ask.memory_mib for room in up):
        return f"waiting for {ask.memory_mib} MiB of memory"
    return "waiting for its turn"
