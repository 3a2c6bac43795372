"""What is told to a job that no worker could hold, and to one that has to wait."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument, ResourceExhausted, Unavailable
from cumulus_jupyter.protocol.resources import gpu_amount

from .capacity import Capacity
from .model import DEVICE_TENTHS, Ask, Worker
from .room import Room

#: What a worker may offer, as a person would say it.
_WORDS = {"images": "a container image of its own (--image)"}
#: Capabilities named in one answer.
_NAMED = 20
#: Executors there can be, configured or not.
KNOWN = ("process", "docker", "swarm")


def refusal(
    capacity: Capacity, ask: Ask, executors: Collection[str], troubles: Mapping[str, str] | None = None
) -> CumulusError | None:
    """Why no worker could ever hold the job; ``None`` where one could.

    ``troubles`` says of executors why they cannot be used now. Asked at submission.
    """
    if ask.executor and ask.executor not in executors:
        return _no_executor(ask.executor, executors)
    troubles = troubles or {}
    chosen = capacity.executor_for(ask)
    if ask.executor and troubles.get(ask.executor):
        return _in_trouble(ask.executor, troubles[ask.executor])
    if capacity.could_ever(ask):
        return None
    if chosen in capacity.unknown:
        assert chosen is not None
        return _in_trouble(chosen, troubles.get(chosen) or capacity.unknown[chosen])
    error = _of_workers(capacity, ask)
    others = [f"{name}: {why}" for name, why in troubles.items() if why and not ask.executor]
    if others:
        error.next = f"{error.next} Not to be used now: {'; '.join(others)}"
    return error


def _no_executor(name: str, executors: Collection[str]) -> CumulusError:
    if name in KNOWN:
        return InvalidArgument(
            f"The executor {name} is not configured",
            next=f"Use one of: {', '.join(executors)}; or have the relay's operator add {name} to"
            " Cumulus.executors.",
        )
    return InvalidArgument(
        f"Unknown executor: {name}",
        next=f"Use one of: {', '.join(executors) or 'none is configured'}.",
    )


def _in_trouble(name: str, why: str) -> CumulusError:
    return Unavailable(
        f"The executor {name} cannot be used now: {why}",
        next="Try again once that is done, or choose another executor (%cumulus workers lists them).",
    )


def _of_workers(capacity: Capacity, ask: Ask) -> CumulusError:
    here = [room.worker for room in capacity.rooms.values() if ask.executor in ("", room.worker.executor)]
    offered = frozenset[str]().union(*(worker.capabilities for worker in here))
    missing = sorted(ask.needs - offered)
    if missing:
        words = " or ".join(_WORDS.get(need, need) for need in missing)
        return InvalidArgument(
            f"No worker offers {words}. Offered: {_listed(offered)}",
            next="Leave it out, or choose an executor that offers it (%cumulus workers lists them).",
        )
    if ask.tenths and not any(worker.devices for worker in here):
        return Unavailable(
            "No GPU workers available",
            next="Leave --gpu out, add a worker with a GPU, or declare a simulated one with"
            " %cumulus config simulated_gpus=1.",
        )
    return _too_much(here, ask)


def _listed(offered: Collection[str]) -> str:
    names = sorted(offered)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "nothing") + more


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
    cpu = max((worker.cpu for worker in workers), default=0.0)
    if ask.cpu > cpu:
        return ResourceExhausted(
            f"No workers with sufficient CPU cores (requested: {ask.cpu:g}, max available: {cpu:g})",
            next=f"Ask for at most --cpu {cpu:g}.",
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
    chosen = capacity.executor_for(ask)
    rooms = [room for room in capacity.rooms.values() if capacity.suits(room.worker, ask)]
    up = [room for room in rooms if room.worker.ready]
    if not up:
        return _nobody_up(rooms, capacity.unknown.get(chosen or "", ""))
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
    if ask.cpu and all(room.cpu < ask.cpu for room in up):
        return f"waiting for {ask.cpu:g} CPU cores"
    return "waiting for its turn"


def _nobody_up(down: list[Room], unknown: str) -> str:
    """What to say where nothing that suits the job is up."""
    reasons = [_is_down(room.worker) for room in down[:3]]
    messages = {room.worker.message for room in down}
    if len(down) > 1 and len(messages) == 1:
        reasons = [each for each in messages if each] or reasons  # what ails them is no worker's own
    why = "; ".join(reasons) or unknown
    return "waiting for a worker to come up" + (f": {why}" if why else "")


def _is_down(worker: Worker) -> str:
    return f"{worker.id} is down" + (f": {worker.message}" if worker.message else "")
