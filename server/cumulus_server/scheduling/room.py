"""How full one worker is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .model import DEVICE_TENTHS, Ask, Placement, Share, Worker
from .packing import pack, whole_runs

#: Which devices a job may have; ``None`` for all.
Able = Sequence[bool] | None


@dataclass(frozen=True)
class Hold:
    """What one job has of a worker."""

    job_id: str
    shares: tuple[Share, ...]
    cpu: float
    memory_mib: int
    #: When it must have ended, in epoch milliseconds.
    ends_ms: int


@dataclass
class Room:
    """A worker's free amounts, kept beside what each job holds of it."""

    worker: Worker
    holds: dict[str, Hold] = field(default_factory=dict)
    #: Its place among the workers, by age.
    rank: int = 0

    def __post_init__(self) -> None:
        self.index = {device.id: at for at, device in enumerate(self.worker.devices)}
        self.free = [DEVICE_TENTHS] * len(self.worker.devices)
        self.slots = self.worker.slots
        self.cpu = self.worker.cpu
        self.memory_mib = self.worker.memory_mib
        #: Goes up with every change of what is held.
        self.changes = 0
        held, self.holds = self.holds, {}
        for hold in held.values():
            self.add(hold)

    @property
    def takes_gpu_jobs(self) -> bool:
        """Whether its devices take new jobs."""
        return self.worker.ready and not self.worker.devices_message

    def takes(self, ask: Ask) -> bool:
        """Whether it is up for such a job, full or not."""
        return self.takes_gpu_jobs if ask.tenths else self.worker.ready

    def add(self, hold: Hold) -> None:
        """Book a hold. The caller has checked that it fits, or it was granted before."""
        self.holds[hold.job_id] = hold
        self._move(hold, -1)

    def remove(self, job_id: str) -> Hold | None:
        """Free what the job held; ``None`` where it held nothing."""
        hold = self.holds.pop(job_id, None)
        if hold is not None:
            self._move(hold, +1)
        return hold

    def _move(self, hold: Hold, sign: int) -> None:
        self.changes += 1
        self.slots += sign
        if hold.cpu:
            self.cpu = round(self.cpu + sign * hold.cpu, 6)
        self.memory_mib += sign * hold.memory_mib
        for share in hold.shares:
            at = self.index.get(share.device)
            if at is not None:
                self.free[at] += sign * share.tenths

    def fits(self, ask: Ask, able: Able = None) -> bool:
        """Whether what is asked for is free here now."""
        return self.place(ask, able) is not None

    def open_for(self, ask: Ask) -> bool:
        """Whether all but the devices is free here now."""
        return self.slots > 0 and self.memory_mib >= ask.memory_mib and (not ask.cpu or self.cpu >= ask.cpu)

    def free_for(self, able: Able) -> list[int]:
        """What is free on each device, with none on those that a job may not have."""
        if able is None:
            return self.free
        return [left if good else 0 for left, good in zip(self.free, able, strict=True)]

    def fullness(self, tenths: int) -> int:
        """How much would be left over by a job of so many tenths; more where whole devices are broken."""
        if not tenths:
            return len(self.holds)
        partly = [left for left in self.free if tenths <= left < DEVICE_TENTHS]
        return min(partly) if partly else DEVICE_TENTHS + self.longest_run()

    def longest_run(self, able: Able = None) -> int:
        """How many neighbouring devices are free as a whole."""
        return max(map(len, whole_runs(self.free_for(able))), default=0)

    def place(self, ask: Ask, able: Able = None, first: bool = False) -> Placement | None:
        """A place for the job here, now; nothing is booked."""
        if not self.open_for(ask):
            return None
        if not ask.tenths:
            return Placement(ask.job_id, self.worker.id)
        devices = pack(self.free_for(able), ask.tenths, first)
        if devices is None:
            return None
        each = min(ask.tenths, DEVICE_TENTHS)
        shares = tuple(Share(self.worker.devices[at].id, each) for at in devices)
        return Placement(ask.job_id, self.worker.id, shares)

    def without(self, job_ids: Iterable[str]) -> Room:
        """How it will be once these jobs are gone."""
        gone = set(job_ids)
        return Room(self.worker, {key: hold for key, hold in self.holds.items() if key not in gone})
