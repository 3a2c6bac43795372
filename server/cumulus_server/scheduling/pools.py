"""Workers that are alike in what they offer, indexed by what is free on them."""

from __future__ import annotations

from collections.abc import Iterator

from .forecast import Forecast
from .model import DEVICE_TENTHS, Ask, Worker
from .room import Able, Room
from .suiting import able, large_enough, offers

Key = tuple[str, int]
Ids = dict[str, None]


def alike(worker: Worker) -> tuple[object, ...]:
    """Equal for workers that differ in nothing a job can ask for, but for how much of it there is."""
    devices = tuple((device.capabilities, device.memory_mib) for device in worker.devices)
    return (worker.executor, worker.pythons, worker.capabilities, devices)


class Pool:
    """Rooms of workers that are alike, with three indexes over those that take jobs now.

    Dictionaries stand for ordered sets: the same history gives the same choice.
    """

    def __init__(self, executor: str, rank: int) -> None:
        self.executor = executor
        #: Its place among the pools, by age.
        self.rank = rank
        self.rooms: dict[str, Room] = {}
        #: Workers by the number of jobs there.
        self.by_load: dict[int, Ids] = {}
        #: Devices by the tenths that are free, for those that are neither full nor free as a whole.
        self.by_free: list[dict[Key, None]] = [{} for _ in range(DEVICE_TENTHS)]
        #: Workers by how many neighbouring devices are free as a whole; not those with none.
        self.by_run: dict[int, Ids] = {}
        self._entries: dict[str, tuple[int, tuple[int, ...], int]] = {}
        self._forecasts: dict[int, Forecast] = {}
        self._able: dict[tuple[frozenset[str], int], Able] = {}

    def able(self, ask: Ask) -> Able:
        """Which devices of each worker a job may have; ``None`` for all."""
        if not ask.tenths or (not ask.needs and not ask.gpu_memory_mib):
            return None
        asked = (ask.needs, ask.gpu_memory_mib)
        if asked not in self._able:
            found = able(self._sample, ask)
            self._able[asked] = None if all(found) else found
        return self._able[asked]

    def suits(self, ask: Ask) -> bool:
        """Whether some worker of the pool, were it free and up, could hold what is asked for."""
        if not offers(self._sample, ask):
            return False
        return any(large_enough(room.worker, ask) for room in self.rooms.values())

    @property
    def _sample(self) -> Worker:
        return next(iter(self.rooms.values())).worker

    def forecast(self, tenths: int) -> Forecast:
        """The workers by when so many tenths can be free there."""
        if tenths not in self._forecasts:
            self._forecasts[tenths] = Forecast(tenths, self.rooms)
        return self._forecasts[tenths]

    def put(self, room: Room) -> None:
        """Add a room, or index it anew after a change."""
        worker_id = room.worker.id
        self.rooms[worker_id] = room
        self._changed(worker_id)
        if room.slots <= 0 or not room.worker.ready:
            self._unindex(worker_id)
            return
        load, run, frees = len(room.holds), 0, (0,) * len(room.free)
        if room.takes_gpu_jobs:
            run, frees = room.longest_run(), tuple(room.free)
        old_load, old_frees, old_run = self._entries.get(worker_id, (-1, (0,) * len(frees), 0))
        if old_load != load:
            _discard(self.by_load, old_load, worker_id)
            self.by_load.setdefault(load, {})[worker_id] = None
        if old_run != run:
            _discard(self.by_run, old_run, worker_id)
            if run:
                self.by_run.setdefault(run, {})[worker_id] = None
        if old_frees != frees:
            self._index_devices(worker_id, old_frees, frees)
        self._entries[worker_id] = (load, frees, run)

    def remove(self, worker_id: str) -> None:
        """Forget a room."""
        self._unindex(worker_id)
        self.rooms.pop(worker_id, None)
        self._changed(worker_id)

    def emptier(self, tenths: int) -> Iterator[tuple[int, Iterator[str]]]:
        """Workers that may have so many tenths free, by how well that would fill them, the best first."""
        if not tenths:
            for load in sorted(self.by_load):
                yield load, iter(self.by_load[load])
            return
        if tenths < DEVICE_TENTHS:
            for free in range(tenths, DEVICE_TENTHS):
                if self.by_free[free]:
                    yield free, (worker_id for worker_id, _ in self.by_free[free])
        count = max(1, tenths // DEVICE_TENTHS)
        for run in sorted(run for run in self.by_run if run >= count):
            yield DEVICE_TENTHS + run, iter(self.by_run[run])

    def _changed(self, worker_id: str) -> None:
        for forecast in self._forecasts.values():
            forecast.changed(worker_id)

    def _index_devices(self, worker_id: str, old: tuple[int, ...], new: tuple[int, ...]) -> None:
        for at, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                if 0 < before < DEVICE_TENTHS:
                    del self.by_free[before][(worker_id, at)]
                if 0 < after < DEVICE_TENTHS:
                    self.by_free[after][(worker_id, at)] = None

    def _unindex(self, worker_id: str) -> None:
        old = self._entries.pop(worker_id, None)
        if old is not None:
            load, frees, run = old
            _discard(self.by_load, load, worker_id)
            _discard(self.by_run, run, worker_id)
            self._index_devices(worker_id, frees, (0,) * len(frees))


def _discard(index: dict[int, Ids], key: int, worker_id: str) -> None:
    entries = index.get(key, {})
    entries.pop(worker_id, None)
    if not entries:
        index.pop(key, None)
