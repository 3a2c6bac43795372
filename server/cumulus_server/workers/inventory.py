"""The workers as users see them, and the answer to "can this job have a place?"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace

from cumulus_jupyter.protocol.errors import CumulusError, ResourceExhausted
from cumulus_jupyter.protocol.jobs import JobSpec, WorkerView
from cumulus_jupyter.protocol.resources import gpu_amount

from ..executors.base import Executor, ExecutorUnavailable
from ..scheduling.asks import ask_of
from ..scheduling.model import Ask, Device, Worker
from ..scheduling.refusal import refusal
from ..scheduling.scheduler import Scheduler
from ..store.clock import now_ms
from .views import worker_view

log = logging.getLogger(__name__)

#: Seconds an executor has to tell its workers.
_FINGERPRINT_S = 30.0
#: Seconds that a submission waits for the first look of an executor that may have what it needs.
_FIRST_LOOK_S = 10.0
_LOOKING = "its workers are being looked for"
_GONE = "it is not there any more"
#: Who asks for one of these is told why an executor that nobody has configured is of no use.
_OFFERED_BY_CONTAINERS = frozenset({"docker", "swarm", "container", "images"})

#: Why an executor's runners could not reach the relay; empty where they can.
Reachable = Callable[[Executor], Awaitable[str]]


async def _always_reachable(executor: Executor) -> str:
    return ""


def _always_bookable(worker: Worker) -> str:
    return ""


class Inventory:
    """Keeps the scheduler's workers true to what the executors see.

    Implements ``relay.contract.Placement`` for submissions.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        executors: Sequence[Executor],
        clock_ms: Callable[[], int] = now_ms,
        *,
        reachable: Reachable = _always_reachable,
        optional: Collection[str] = (),
        why_not: Callable[[Worker], str] = _always_bookable,
    ) -> None:
        """``optional`` are executors that nobody asked for: where one cannot be used, it is passed over.

        ``why_not`` tells why a worker's devices take nothing new now; empty where they do.
        """
        self._scheduler = scheduler
        self._executors = {executor.name: executor for executor in executors}
        self._clock_ms = clock_ms
        self._reachable = reachable
        self._optional = frozenset(optional)
        self._why_not = why_not
        self._unreachable: dict[str, str] = {}
        #: Executors that are not taken up yet, and what is set once something is known of them.
        self._held_back: dict[str, asyncio.Event] = {}
        self._in_trouble: set[str] = set()

    async def refresh(self, names: Collection[str] | None = None) -> None:
        """Ask the executors for their workers. One that does not answer keeps those it had."""
        asked = [
            executor
            for name, executor in self._executors.items()
            if name not in self._held_back and (names is None or name in names)
        ]
        for workers, executor in zip(await asyncio.gather(*map(self._try, asked)), asked, strict=True):
            if workers is not None:
                self.keep(executor, workers)

    async def _try(self, executor: Executor) -> list[Worker] | None:
        try:
            return await self.look(executor)
        except ExecutorUnavailable as error:
            return self._all_down(executor, executor.trouble or error.message)
        except Exception:
            log.exception("the executor %s cannot tell its workers", executor.name)
            return None

    async def look(self, executor: Executor) -> list[Worker]:
        """The executor's workers as they are now; those whose runners could not reach the relay are down.

        Raises ``ExecutorUnavailable``.
        """
        async with asyncio.timeout(_FINGERPRINT_S):
            workers = await executor.fingerprint()
        if executor.reach and not executor.trouble:
            self._unreachable[executor.name] = await self._reachable(executor)
        trouble = self.trouble(executor.name)
        if not trouble:
            return workers
        return [replace(each, ready=False, message=each.message or trouble) for each in workers]

    def keep(self, executor: Executor, workers: Iterable[Worker]) -> None:
        """Put these in the place of what was known of the executor's workers. Immediate."""
        capacity = self._scheduler.capacity
        found = list(workers)
        for worker in found:
            capacity.set_worker(self._with_devices(worker))
        for gone in {worker.id for worker in self._known(executor)} - {worker.id for worker in found}:
            room = capacity.rooms[gone]
            if room.holds:
                capacity.set_worker(replace(room.worker, ready=False, message=_GONE))
            else:
                capacity.remove_worker(gone)
        capacity.set_unknown(executor.name, None)
        self._note_trouble(executor)
        known = self._held_back.pop(executor.name, None)
        if known is not None:
            known.set()

    def _with_devices(self, worker: Worker) -> Worker:
        return replace(worker, devices_message=worker.devices and self._why_not(worker) or "")

    def devices_changed(self) -> list[Worker]:
        """Ask anew of all workers whether their devices take something; those for which that has changed."""
        changed = []
        for room in list(self._scheduler.capacity.rooms.values()):
            worker = self._with_devices(room.worker)
            if worker != room.worker:
                self._scheduler.capacity.set_worker(worker)
                changed.append(worker)
        return changed

    def hold_back(self, executor: Executor) -> None:
        """This executor is not taken up yet: its workers are not known."""
        self._held_back[executor.name] = asyncio.Event()
        self._scheduler.capacity.set_unknown(executor.name, _LOOKING)

    def look_again(self, executor: Executor) -> None:
        """There is news of an executor that is not taken up yet: it is worth waiting for."""
        if executor.name in self._held_back:
            self._held_back[executor.name].clear()
            self._scheduler.capacity.set_unknown(executor.name, _LOOKING)

    def give_up(self, executor: Executor) -> None:
        """The executor's first look found nothing to use; it is waited for unless it is optional."""
        optional = executor.name in self._optional
        why = self.trouble(executor.name) or _LOOKING
        for worker in self._all_down(executor, why):
            self._scheduler.capacity.set_worker(worker)
        self._scheduler.capacity.set_unknown(executor.name, None if optional else why)
        self._note_trouble(executor)
        self._held_back.setdefault(executor.name, asyncio.Event()).set()

    def _known(self, executor: Executor) -> list[Worker]:
        rooms = self._scheduler.capacity.rooms.values()
        return [room.worker for room in rooms if room.worker.executor == executor.name]

    def _all_down(self, executor: Executor, why: str) -> list[Worker]:
        return [replace(worker, ready=False, message=why) for worker in self._known(executor)]

    def _note_trouble(self, executor: Executor) -> None:
        """Log that an executor cannot be used, and that it can again, once each."""
        why = self.trouble(executor.name)
        if why and executor.name not in self._in_trouble:
            self._in_trouble.add(executor.name)
            level = logging.INFO if executor.name in self._optional else logging.WARNING
            log.log(level, "the executor %s cannot be used: %s", executor.name, why)
        elif not why and executor.name in self._in_trouble:
            self._in_trouble.discard(executor.name)
            log.warning("the executor %s can be used again", executor.name)

    def in_trouble(self, name: str) -> bool:
        """Whether the executor could not be used when it was last looked at."""
        return name in self._in_trouble

    def trouble(self, name: str) -> str:
        """Why an executor cannot be used now; empty where it can."""
        return self._executors[name].trouble or self._unreachable.get(name, "")

    @property
    def looking(self) -> bool:
        """Whether some executor has not had its first look."""
        return any(not known.is_set() for known in self._held_back.values())

    def executor_of(self, worker_id: str) -> Executor | None:
        """Who starts jobs on this worker."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        return None if room is None else self._executors.get(room.worker.executor)

    def worker(self, worker_id: str) -> Worker | None:
        """A worker by its id."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        return None if room is None else room.worker

    def on_node(self, node: str) -> list[Worker]:
        """The workers on a node of their platform."""
        rooms = self._scheduler.capacity.rooms.values()
        return [room.worker for room in rooms if node and room.worker.node == node]

    def has_python(self, worker_id: str, minor: str) -> bool:
        """Whether jobs can have this Python minor version there."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        return room is not None and minor in room.worker.pythons

    def device(self, worker_id: str, device_id: str) -> Device:
        """A device by its id; one that is not there any more is known by its id alone."""
        room = self._scheduler.capacity.rooms.get(worker_id)
        at = None if room is None else room.index.get(device_id)
        return Device(device_id) if room is None or at is None else room.worker.devices[at]

    async def check(self, spec: JobSpec) -> None:
        """Raise what to answer where no worker could ever hold the job, or none now and it won't wait."""
        ask = ask_of(spec)
        error = self._refusal(ask)
        if error is not None and self.looking:
            await self._first_looks(ask)
            error = self._refusal(ask)
        if error is not None:
            raise error
        if not spec.wait and not self._scheduler.has_room(ask, self._clock_ms()):
            raise self.no_room(spec)

    def _refusal(self, ask: Ask) -> CumulusError | None:
        troubles = {
            name: self.trouble(name)
            for name in self._executors
            if name not in self._optional or name == ask.executor or ask.needs & _OFFERED_BY_CONTAINERS
        }
        return refusal(self._scheduler.capacity, ask, self._executors, troubles)

    async def _first_looks(self, ask: Ask) -> None:
        awaited = [known for name, known in self._held_back.items() if ask.executor in ("", name)]
        try:
            async with asyncio.timeout(_FIRST_LOOK_S):
                await asyncio.gather(*(known.wait() for known in awaited))
        except TimeoutError:
            return

    def no_room(self, spec: JobSpec) -> ResourceExhausted:
        """What a job that won't wait is told when it would have to."""
        reason = self._scheduler.reason(ask_of(spec))
        asked = f"{gpu_amount(spec.resources.gpu_tenths)} GPU" if spec.resources.gpu else "the job"
        return ResourceExhausted(
            f"No worker has room for {asked} now (queued, it would be {reason})",
            next="Leave --no-wait out to have it queued, or try again later.",
        )

    def position(self, job_id: str) -> int | None:
        """The place of a job that waits; 1 is next. ``None`` where it is not in the line."""
        line = self._scheduler.line
        return line.position(job_id) if job_id in line else None

    def workers(self) -> list[WorkerView]:
        """All workers as they are now."""
        return [worker_view(room) for room in self._scheduler.capacity.rooms.values()]

    def workers_version(self) -> int:
        """Grows whenever ``workers`` may say something else than before."""
        return self._scheduler.capacity.changes

    def pythons(self) -> list[str]:
        """Python minor versions jobs can have; the default first."""
        rooms = self._scheduler.capacity.rooms.values()
        return list(dict.fromkeys(python for room in rooms for python in room.worker.pythons))

    def executors(self) -> list[str]:
        """Names of the executors; those that nobody asked for only where they can be used."""
        return [name for name in self._executors if name not in self._optional or not self._is_absent(name)]

    def _is_absent(self, name: str) -> bool:
        return name in self._held_back or bool(self.trouble(name))

    def real_gpus(self) -> bool:
        """Whether a worker has GPUs of its own."""
        rooms = self._scheduler.capacity.rooms.values()
        return any(not device.simulated for room in rooms for device in room.worker.devices)

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs on workers without GPUs of their own, from now on."""
        for executor in self._executors.values():
            if hasattr(executor, "simulate"):
                executor.simulate(count)
