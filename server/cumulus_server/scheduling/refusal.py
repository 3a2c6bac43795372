"""What is told to a job that no worker could hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby

from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument, ResourceExhausted, Unavailable
from cumulus_jupyter.protocol.resources import gpu_amount

from .capacity import Capacity
from .model import DEVICE_TENTHS, GPU, Ask, Worker
from .suiting import able

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
    devices = [device for worker in here for device in worker.devices]
    if ask.tenths and not devices:
        return Unavailable(
            "No GPU workers available",
            next="Leave --gpu out, add a worker with a GPU (%cumulus add-worker), or declare a simulated one"
            " with %cumulus config simulated_gpus=1.",
        )
    of_devices = {each for device in devices for each in device.capabilities} | {GPU}
    own = {each for worker in here for each in worker.capabilities} - {GPU}
    offered = own | of_devices if ask.tenths else own
    missing = sorted(ask.needs - offered)
    if not ask.tenths and (ask.gpu_memory_mib or any(need in of_devices for need in missing)):
        return _without_gpu([need for need in missing if need in of_devices])
    if missing:
        words = " or ".join(_WORDS.get(need, need) for need in missing)
        return InvalidArgument(
            f"No worker offers {words}. Offered: {_listed(offered)}",
            next="Leave it out. %cumulus workers lists what each one offers, %cumulus add-worker adds one.",
        )
    return _too_much(here, ask)


def _without_gpu(needs: list[str]) -> CumulusError:
    """A job without --gpu sees none, so a worker with such a GPU would not be what it asks for."""
    return InvalidArgument(
        f"{' and '.join(needs) or 'GPU memory'} can be had with a GPU only, and the job asks for none",
        next="Add --gpu 0.1 to 0.9 for a share of one, or --gpu 1 to 8 for whole ones.",
    )


def _listed(offered: Collection[str]) -> str:
    names = sorted(offered)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "nothing") + more


def _too_much(workers: list[Worker], ask: Ask) -> CumulusError:
    gpu_memory_mib = max((each.memory_mib for worker in workers for each in worker.devices), default=0)
    if ask.gpu_memory_mib > gpu_memory_mib:
        return ResourceExhausted(
            f"No workers with sufficient GPU memory (requested: {ask.gpu_memory_mib} MiB,"
            f" max available: {gpu_memory_mib} MiB)",
            next=f"Ask for at most --label gpu-memory:{gpu_memory_mib}MiB.",
        )
    devices = max((_longest(able(worker, ask)) for worker in workers), default=0)
    if ask.tenths > devices * DEVICE_TENTHS and devices:
        return ResourceExhausted(
            f"No workers with sufficient GPU capacity (requested: {gpu_amount(ask.tenths)},"
            f" max available: {devices})",
            next=f"Ask for at most --gpu {devices}.",
        )
    if ask.tenths and not devices:
        return Unavailable(
            f"No GPU offers all of this together: {', '.join(sorted(ask.needs))}",
            next="Ask for less; %cumulus workers shows what each one has.",
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


def _longest(good: Iterable[bool]) -> int:
    """The longest run of neighbours that are good."""
    return max((len(list(run)) for is_good, run in groupby(good) if is_good), default=0)
