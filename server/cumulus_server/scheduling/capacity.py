"""All workers with what is free on them, indexed so that a place is found without a search of all.

Kept in memory by the reconcile loop; the leases in the store are the truth it is rebuilt from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from .model import DEVICE_TENTHS, Ask, Placement, Worker, suits
from .room import Hold, Room

#: Decides whether a place that is free may be taken.
Allowed = Callable[[Room, Placement], bool]
Key = tuple[str, int]


def _anywhere(room: Room, placement: Placement) -> bool:
    return True


class Capacity:
    """Rooms by worker, and three indexes over those that take jobs now.

    ``order`` are the executors, the preferred one first: a job that names none goes to the first of which
    some worker could ever hold it, and waits there rather than go to the next one.
    """

    def __init__(self, workers: Iterable[Worker] = (), order: Iterable[str] = ()) -> None:
        self.rooms: dict[str, Room] = {}
        self.order = tuple(order)
        #: Executors whose workers are not known, so that they may be able to hold any job; and why.
        self.unknown: dict[str, str] = {}
        self._executors: dict[tuple[object, ...], str | None] = {}
        self._where: dict[str, str] = {}
        # Dictionaries stand for ordered sets: the same history gives the same choice.
        self._by_load: dict[int, dict[str, None]] = {}
        self._by_free: list[dict[Key, None]] = [{} for _ in range(DEVICE_TENTHS + 1)]
        self._by_run: dict[int, dict[str, None]] = {}
        self._entries: dict[str, tuple[int, tuple[int, ...], int]] = {}
        for worker in workers:
            self.set_worker(worker)

    def set_worker(self, worker: Worker) -> None:
        """Add a worker, or put its new description in place; jobs on it keep what they hold."""
        self._executors.clear()
        old = self.rooms.get(worker.id)
        self.rooms[worker.id] = Room(worker, dict(old.holds) if old else {})
        self._index(worker.id)

    def remove_worker(self, worker_id: str) -> None:
        """Forget a worker and what is held there."""
        self._executors.clear()
        room = self.rooms.pop(worker_id, None)
        for job_id in room.holds if room else ():
            self._where.pop(job_id, None)
        self._index(worker_id)

    def set_unknown(self, executor: str, why: str | None) -> None:
        """This executor's workers are not known, for this reason; with ``None`` they are."""
        self._executors.clear()
        if why is None:
            self.unknown.pop(executor, None)
        else:
            self.unknown[executor] = why

    def take(self, placement: Placement, *, cpu: float = 0.0, memory_mib: int = 0, ends_ms: int = 0) -> None:
        """Book a placement. Taking the same job's again moves it there."""
        self.give_back(placement.job_id)
        room = self.rooms[placement.worker]
        room.add(Hold(placement.job_id, placement.shares, cpu, memory_mib, ends_ms))
        self._where[placement.job_id] = placement.worker
        self._index(placement.worker)

    def give_back(self, job_id: str) -> bool:
        """Free what the job holds; ``False`` where it holds nothing."""
        worker_id = self._where.pop(job_id, None)
        if worker_id is None:
            return False
        self.rooms[worker_id].remove(job_id)
        self._index(worker_id)
        return True

    def holder(self, job_id: str) -> str | None:
        """The worker on which the job holds something."""
        return self._where.get(job_id)

    def fit(self, ask: Ask, allowed: Allowed = _anywhere) -> Placement | None:
        """The best free place for a job, or ``None``; nothing is booked.

        A GPU share goes where the least is left over; jobs without a GPU go to the worker with the
        fewest jobs.
        """
        for room in self._candidates(ask):
            if self.suits(room.worker, ask):
                placement = room.place(ask)
                if placement is not None and allowed(room, placement):
                    return placement
        return None

    def suits(self, worker: Worker, ask: Ask) -> bool:
        """Whether the worker, were it free and up, could hold the job, and is where the job is to go."""
        return worker.executor == self.executor_for(ask) and suits(worker, ask)

    def could_ever(self, ask: Ask) -> bool:
        """Whether some worker could hold the job if it were free and up."""
        return any(self.suits(room.worker, ask) for room in self.rooms.values())

    def executor_for(self, ask: Ask) -> str | None:
        """The executor that the job is to go to; ``None`` where no worker of any could ever hold it."""
        if ask.executor:
            return ask.executor
        if ask.shape not in self._executors:
            self._executors[ask.shape] = self._choose(ask)
        return self._executors[ask.shape]

    def _choose(self, ask: Ask) -> str | None:
        able = {room.worker.executor for room in self.rooms.values() if suits(room.worker, ask)}
        order = dict.fromkeys([*self.order, *able])
        return next((name for name in order if name in able or name in self.unknown), None)

    def _candidates(self, ask: Ask) -> Iterator[Room]:
        if ask.tenths == 0:
            for load in sorted(self._by_load):
                yield from (self.rooms[worker] for worker in list(self._by_load[load]))
        elif ask.tenths < DEVICE_TENTHS:
            for free in range(ask.tenths, DEVICE_TENTHS + 1):
                yield from (self.rooms[worker] for worker, _ in list(self._by_free[free]))
        else:
            for run in sorted(run for run in self._by_run if run >= ask.tenths // DEVICE_TENTHS):
                yield from (self.rooms[worker] for worker in list(self._by_run[run]))

    def _index(self, worker_id: str) -> None:
        old = self._entries.pop(worker_id, None)
        if old is not None:
            load, frees, run = old
            _discard(self._by_load, load, worker_id)
            _discard(self._by_run, run, worker_id)
            for at, free in enumerate(frees):
                self._by_free[free].pop((worker_id, at), None)
        room = self.rooms.get(worker_id)
        if room is None or room.slots <= 0 or not room.worker.ready:
            return
        load, run = len(room.holds), room.longest_run()
        frees = tuple(max(0, free) for free in room.free)
        self._by_load.setdefault(load, {})[worker_id] = None
        self._by_run.setdefault(run, {})[worker_id] = None
        for at, free in enumerate(frees):
            self._by_free[free][(worker_id, at)] = None
        self._entries[worker_id] = (load, frees, run)


def _discard(index: dict[int, dict[str, None]], key: int, worker_id: str) -> None:
    entries = index.get(key, {})
    entries.pop(worker_id, None)
    if not entries:
        index.pop(key, None)
