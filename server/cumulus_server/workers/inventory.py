"""The workers as users see them, and the answer to "can this job have a place?"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from cumulus_jupyter.protocol.errors import ResourceExhausted
from cumulus_jupyter.protocol.jobs import DeviceView, JobSpec, WorkerView
from cumulus_jupyter.protocol.resources import gpu_amount

from ..executors.base import Executor
from ..scheduling.asks import ask_of
from ..scheduling.model import DEVICE_TENTHS, Device
from ..scheduling.refusal import refusal, waiting_reason
from ..scheduling.room import Room
from ..scheduling.scheduler import Scheduler
from ..store.clock import now_ms

log = logging.getLogger(__name__)

#: Seconds an executor has to tell its workers.
_FINGERPRINT_S = 30.0


class Inventory:
    """Keeps the scheduler's workers true to what the executors see.

    Implements ``relay.contract.Placement`` for submissions.
    """

    def __init__(
        self, scheduler: Scheduler, executors: Sequence[Executor], clock_ms: Callable[[], int] = now_ms
    ) -> None:
        self._scheduler = scheduler
        self._executors = {executor.name: executor for executor in executors}
        self._clock_ms = clock_ms

    async def refresh(self) -> None:
        """Ask every executor for its workers. One that does not answer keeps those it had."""
        for executor in self._executors.values():
            try:
                async with asyncio.timeout(_FINGERPRINT_S):
                    workers = await executor.fingerprint()
            except Exception:
                log.exception("the executor %s cannot tell its workers", executor.name)
                continue
            capacity = self._scheduler.capacity
            known = [id for id, room in capacity.rooms.items() if room.worker.executor == executor.name]
            for worker in workers:
                capacity.set_worker(worker)
            for gone in set(known) - {worker.id for worker in workers}:
                capacity.remove_worker(gone)

    def executor_of(self, worker_id: str) -> Executor | None:
        """Who starts jobs on this worker."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        return None if room is None else self._executors.get(room.worker.executor)

    def has_python(self, worker_id: str, minor: str) -> bool:
        """Whether jobs can have this Python minor version there."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        return room is not None and minor in room.worker.pythons

    def device(self, worker_id: str, device_id: str) -> Device:
        """A device by its id; one that is not there any more is known by its id alone."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        at = None if room is None else room.index.get(device_id)
        return Device(device_id) if room is None or at is None else room.worker.devices[at]

    def check(self, spec: JobSpec) -> None:
        """Raise what to answer where no worker could ever hold the job, or none now and it won't wait."""
        ask = ask_of(spec)
        error = refusal(self._scheduler.capacity, ask, self._executors)
        if error is not None:
            raise error
        if not spec.wait and not self._scheduler.has_room(ask, self._clock_ms()):
            raise self.no_room(spec)

    def no_room(self, spec: JobSpec) -> ResourceExhausted:
        """What a job that won't wait is told when it would have to."""
        reason = waiting_reason(self._scheduler.capacity, ask_of(spec))
        asked = f"{gpu_amount(spec.resources.gpu_tenths)} GPU" if spec.resources.gpu else "the job"
        return ResourceExhausted(
            f"No worker has room for {asked} now ({reason})",
            next="Leave --no-wait out to have it queued, or try again later.",
        )

    def workers(self) -> list[WorkerView]:
        """All workers as they are now."""
        return [_view(room) for room in self._scheduler.capacity.rooms.values()]

    def pythons(self) -> list[str]:
        """Python minor versions jobs can have; the default first."""
        rooms = self._scheduler.capacity.rooms.values()
        return list(dict.fromkeys(python for room in rooms for python in room.worker.pythons))

    def executors(self) -> list[str]:
        """Names of the executors."""
        return list(self._executors)

    def real_gpus(self) -> bool:
        """Whether the local worker has GPUs of its own."""
        rooms = self._scheduler.capacity.rooms.values()
        return any(not device.simulated for room in rooms for device in room.worker.devices)

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs on the local worker, from now on."""
        for executor in self._executors.values():
            if hasattr(executor, "simulate"):
                executor.simulate(count)


def _view(room: Room) -> WorkerView:
    worker = room.worker
    return WorkerView(
        id=worker.id,
        executor=worker.executor,
        state="ready" if worker.ready else "down",
        cpu=worker.cpu,
        memory_mib=worker.memory_mib,
        devices=[
            DeviceView(device.id, device.name, device.memory_mib, DEVICE_TENTHS - free, device.simulated)
            for device, free in zip(worker.devices, room.free, strict=True)
        ],
        pythons=list(worker.pythons),
        labels=dict.fromkeys(sorted(worker.capabilities), ""),
        jobs=list(room.holds),
        message=worker.message,
    )
