"""All workers with what is free on them, so that a place is found without a search of all.

Kept in memory by the reconcile loop; the leases in the store are the truth it is rebuilt from.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from .model import Ask, Placement, Worker
from .packing import BEST_FIT, FIRST_FIT
from .pools import Pool, alike
from .room import Able, Hold, Room
from .suiting import large_enough, suits

#: Decides whether a place that is free may be taken.
Allowed = Callable[[Room, Placement], bool]
#: With fewer workers to choose from than this, the first of them is found by sorting.
_FEW = 256
#: Kinds of jobs of which it is remembered where they can go.
_KINDS = 4096


def _anywhere(room: Room, placement: Placement) -> bool:
    return True


class Capacity:
    """Rooms by worker, in pools of workers that are alike.

    ``order`` are the executors, the preferred one first: a job that names none goes to the first of which
    some worker could ever hold it, and waits there rather than go to the next one.
    """

    def __init__(
        self, workers: Iterable[Worker] = (), order: Iterable[str] = (), placement: str = BEST_FIT
    ) -> None:
        """``placement`` is one of ``packing.PLACEMENTS``."""
        self.rooms: dict[str, Room] = {}
        self.order = tuple(order)
        #: Executors whose workers are not known, so that they may be able to hold any job; and why.
        self.unknown: dict[str, str] = {}
        self._first = placement == FIRST_FIT
        self._pools: dict[tuple[object, ...], Pool] = {}
        self._pool_of: dict[str, Pool] = {}
        self._where: dict[str, str] = {}
        self._ranks = self._pools_made = self._versions = 0
        self._suiting: dict[tuple[object, ...], tuple[str | None, tuple[Pool, ...]]] = {}
        #: Grows with every change of the workers and of what is held on them.
        self.changes = 0
        #: Workers that something was given back on, in order, since ``_freed_from``.
        self._freed: list[str] = []
        self._freed_from = 0
        for worker in workers:
            self.set_worker(worker)

    def set_worker(self, worker: Worker) -> None:
        """Add a worker, or put its new description in place; jobs on it keep what they hold."""
        old = self.rooms.get(worker.id)
        if old is not None and old.worker == worker:
            return
        self.changes += 1
        self._forget_what_suits()
        if old is None:
            self._ranks += 1
        self._leave_pool(worker.id)
        room = Room(worker, dict(old.holds), old.rank) if old else Room(worker, rank=self._ranks)
        self.rooms[worker.id] = room
        key = alike(worker)
        if key not in self._pools:
            self._pools_made += 1
            self._pools[key] = Pool(worker.executor, self._pools_made)
        pool = self._pools[key]
        self._pool_of[worker.id] = pool
        pool.put(room)

    def remove_worker(self, worker_id: str) -> None:
        """Forget a worker and what is held there."""
        self.changes += 1
        self._forget_what_suits()
        self._leave_pool(worker_id)
        room = self.rooms.pop(worker_id, None)
        for job_id in room.holds if room else ():
            self._where.pop(job_id, None)

    def _leave_pool(self, worker_id: str) -> None:
        pool = self._pool_of.pop(worker_id, None)
        if pool is not None:
            pool.remove(worker_id)
            if not pool.rooms:
                del self._pools[next(key for key, each in self._pools.items() if each is pool)]

    def set_unknown(self, executor: str, why: str | None) -> None:
        """This executor's workers are not known, for this reason; with ``None`` they are."""
        if self.unknown.get(executor) == why:
            return
        self.changes += 1
        self._forget_what_suits()
        if why is None:
            self.unknown.pop(executor, None)
        else:
            self.unknown[executor] = why

    def take(self, placement: Placement, *, cpu: float = 0.0, memory_mib: int = 0, ends_ms: int = 0) -> None:
        """Book a placement. Taking the same job's again moves it there."""
        self.give_back(placement.job_id)
        self.changes += 1
        room = self.rooms[placement.worker]
        room.add(Hold(placement.job_id, placement.shares, cpu, memory_mib, ends_ms))
        self._where[placement.job_id] = placement.worker
        self._pool_of[placement.worker].put(room)

    def give_back(self, job_id: str) -> bool:
        """Free what the job holds; ``False`` where it holds nothing."""
        worker_id = self._where.pop(job_id, None)
        if worker_id is None:
            return False
        self.changes += 1
        room = self.rooms[worker_id]
        room.remove(job_id)
        self._pool_of[worker_id].put(room)
        self.note_freed(worker_id)
        return True

    def holder(self, job_id: str) -> str | None:
        """The worker on which the job holds something."""
        return self._where.get(job_id)

    def note_freed(self, worker_id: str) -> None:
        """There may be room on the worker for somebody who found none."""
        if len(self._freed) > 2 * len(self.rooms) + 64:
            self._forget_what_was_freed()
        self._freed.append(worker_id)

    @property
    def mark(self) -> int:
        """This moment, for ``freed_since``."""
        return self._freed_from + len(self._freed)

    def freed_since(self, mark: int) -> list[str] | None:
        """The workers with more room than they had at that moment; ``None`` where any may have."""
        return None if mark < self._freed_from else self._freed[mark - self._freed_from :]

    def _forget_what_was_freed(self) -> None:
        self._freed_from += len(self._freed) + 1
        self._freed.clear()

    def state_of(self, worker_id: str) -> tuple[int, int]:
        """Changes with all that can change when the worker has room."""
        room = self.rooms.get(worker_id)
        return (self._versions, -1 if room is None else room.changes)

    def _forget_what_suits(self) -> None:
        self._versions += 1
        self._suiting.clear()
        self._forget_what_was_freed()

    def fit(
        self, ask: Ask, allowed: Allowed = _anywhere, among: Iterable[str] | None = None
    ) -> Placement | None:
        """The best free place for a job, or ``None``; nothing is booked.

        A GPU share goes where the least is left over; jobs without a GPU go to the worker with the
        fewest jobs. ``among``: only these workers are looked at.
        """
        pools = self.pools(ask)
        avoid = self.avoided(ask)
        rooms = self._candidates(ask, pools) if among is None else self._of(ask, pools, among)
        for room in self._by_age(rooms, pools) if self._first and ask.tenths else rooms:
            placement = room.place(ask, self.able(room, ask), self._first)
            if placement is not None and room.worker.id not in avoid and allowed(room, placement):
                return placement
        return None

    def avoided(self, ask: Ask) -> frozenset[str]:
        """The workers that the job does not go to: none where no other that is up could hold it.

        One that is down for good does not count, or the job would wait for it forever.
        """
        if not ask.avoid:
            return ask.avoid
        others = any(
            room.worker.id not in ask.avoid and room.takes(ask) and large_enough(room.worker, ask)
            for pool in self.pools(ask)
            for room in pool.rooms.values()
        )
        return ask.avoid if others else frozenset()

    def _candidates(self, ask: Ask, pools: tuple[Pool, ...]) -> Iterator[Room]:
        for _, _, pool, ids in heapq.merge(*(_ranked(pool, ask.tenths) for pool in pools)):
            for worker_id in ids:
                yield pool.rooms[worker_id]

    def _of(self, ask: Ask, pools: tuple[Pool, ...], among: Iterable[str]) -> list[Room]:
        """Those of the workers that may have room, in the order of ``_candidates`` but for draws."""
        found = [
            (room.fullness(ask.tenths), room.rank, room)
            for worker_id in dict.fromkeys(among)
            if (room := self.rooms.get(worker_id)) is not None
            and room.takes(ask)
            and room.open_for(ask)
            and self._pool_of[worker_id] in pools
        ]
        return [room for *_, room in (sorted(found) if len(found) > 1 else found)]

    def _by_age(self, rooms: Iterable[Room], pools: tuple[Pool, ...]) -> Iterable[Room]:
        few = list(islice(rooms, _FEW))
        if len(few) < _FEW:
            return sorted({room.rank: room for room in few}.values(), key=lambda room: room.rank)
        everybody = self.rooms.values()
        return (room for room in everybody if room.takes_gpu_jobs and self._pool_of[room.worker.id] in pools)

    def pools(self, ask: Ask) -> tuple[Pool, ...]:
        """The pools of which some worker, were it free and up, could hold the job, where it is to go."""
        return self._suits(ask)[1]

    def able(self, room: Room, ask: Ask) -> Able:
        """Which devices of the worker a job may have; ``None`` for all."""
        return self._pool_of[room.worker.id].able(ask)

    def suits(self, worker: Worker, ask: Ask) -> bool:
        """Whether the worker, were it free and up, could hold the job, and is where the job is to go."""
        return worker.executor == self.executor_for(ask) and suits(worker, ask)

    def could_ever(self, ask: Ask) -> bool:
        """Whether some worker could hold the job if it were free and up."""
        return bool(self.pools(ask))

    def executor_for(self, ask: Ask) -> str | None:
        """The executor that the job is to go to; ``None`` where no worker of any could ever hold it."""
        return self._suits(ask)[0]

    def _suits(self, ask: Ask) -> tuple[str | None, tuple[Pool, ...]]:
        found = self._suiting.get(ask.kind)
        if found is None:
            suiting = [pool for pool in self._pools.values() if pool.suits(ask)]
            names = {pool.executor for pool in suiting}
            order = dict.fromkeys([*self.order, *(pool.executor for pool in suiting)])
            chosen = ask.executor or next(
                (name for name in order if name in names or name in self.unknown), None
            )
            found = (chosen, tuple(pool for pool in suiting if pool.executor == chosen))
            if len(self._suiting) >= _KINDS:
                self._suiting.clear()
            self._suiting[ask.kind] = found
        return found


def _ranked(pool: Pool, tenths: int) -> Iterator[tuple[int, int, Pool, Iterator[str]]]:
    """What ``Pool.emptier`` says, so that several pools can be merged; no two have one rank."""
    return ((fullness, pool.rank, pool, ids) for fullness, ids in pool.emptier(tenths))
