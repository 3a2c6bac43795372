"""A worker as users see it."""

from __future__ import annotations

from cumulus_jupyter.protocol.jobs import DeviceView, Holder, WorkerView

from ..partitions.holding import would_hold
from ..scheduling.model import DEVICE_TENTHS, Worker
from ..scheduling.room import Room


def worker_view(room: Room) -> WorkerView:
    """The worker with what it has, what of it is taken, and by whom."""
    worker = room.worker
    holders = _holders(room)
    return WorkerView(
        id=worker.id,
        executor=worker.executor,
        state="ready" if worker.ready else "down",
        cpu=worker.cpu,
        memory_mib=worker.memory_mib,
        devices=[
            DeviceView(
                device.id,
                device.name,
                device.memory_mib,
                DEVICE_TENTHS - free,
                device.simulated,
                would_hold(device),
                holders.get(device.id, []),
            )
            for device, free in zip(worker.devices, room.free, strict=True)
        ],
        pythons=list(worker.pythons),
        labels=dict(worker.labels),
        jobs=list(room.holds),
        message=worker.message or _of_devices(worker),
        capabilities=sorted(worker.capabilities.union(*(each.capabilities for each in worker.devices))),
        slots=worker.slots,
        used_cpu=round(worker.cpu - room.cpu, 6),
        used_memory_mib=worker.memory_mib - room.memory_mib,
    )


def _holders(room: Room) -> dict[str, list[Holder]]:
    """Who has how much of which device; names are not known here."""
    holders: dict[str, list[Holder]] = {}
    for hold in room.holds.values():
        for share in hold.shares:
            holders.setdefault(share.device, []).append(Holder(hold.job_id, "", share.tenths))
    return holders


def _of_devices(worker: Worker) -> str:
    return f"its GPUs take no job now: {worker.devices_message}" if worker.devices_message else ""
