"""How full one worker is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .model import DEVICE_TENTHS, Ask, Placement, Share, Worker


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

    def __post_init__(self) -> None:
        self.index = {device.id: at for at, device in enumerate(self.worker.devices)}
        self.free = [DEVICE_TENTHS] * len(self.worker.devices)
        self.slots = self.worker.slots
        self.cpu = self.worker.cpu
        self.memory_mib = self.worker.memory_mib
        held, self.holds = self.holds, {}
        for hold in held.values():
            self.add(hold)

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
        self.slots += sign
        self.cpu = round(self.cpu + sign * hold.cpu, 6)
        self.memory_mib += sign * hold.memory_mib
        for share in hold.shares:
            at = self.index.get(share.device)
            if at is not None:
                self.free[at] += sign * share.tenths

    def fits(self, ask: Ask) -> bool:
        """Whether what is asked for is free here now."""
        return self.open_for(ask) and (ask.tenths == 0 or self.shares(ask.tenths) is not None)

    def open_for(self, ask: Ask) -> bool:
        """Whether all but the devices is free here now."""
        return self.slots > 0 and self.memory_mib >= ask.memory_mib and (not ask.cpu or self.cpu >= ask.cpu)

    def shares(self, tenths: int) -> tuple[Share, ...] | None:
        """The devices that ``tenths`` fill best, or ``None``.

        A share goes to the device with the least left over; whole devices are taken contiguous,
        from the shortest free run that is long enough, so that longer ones stay whole.
        """
        devices = self.worker.devices
        if tenths < DEVICE_TENTHS:
            best = min((at for at, free in enumerate(self.free) if free >= tenths),
                       key=lambda at: self.free[at], default=None)  # fmt: skip
            return None if best is None else (Share(devices[best].id, tenths),)
        count = tenths // DEVICE_TENTHS
        runs = [run for run in self.runs() if len(run) >= count]
        if not runs:
            return None
        run = min(runs, key=len)
        return tuple(Share(devices[at].id, DEVICE_TENTHS) for at in run[:count])

    def runs(self) -> list[range]:
        """The runs of neighbouring devices that are free as a whole."""
        found: list[range] = []
        start = None
        for at, free in enumerate([*self.free, 0]):
            if free == DEVICE_TENTHS:
                start = at if start is None else start
            elif start is not None:
                found.append(range(start, at))
                start = None
        return found

    def longest_run(self) -> int:
        """How many neighbouring devices are free as a whole."""
        return max(map(len, self.runs()), default=0)

    def place(self, ask: Ask) -> Placement | None:
        """A place for the job here, now; nothing is booked."""
        if not self.open_for(ask):
            return None
        shares = self.shares(ask.tenths) if ask.tenths else ()
        return None if shares is None else Placement(ask.job_id, self.worker.id, shares)

    def without(self, job_ids: Iterable[str]) -> Room:
        """How it will be once these jobs are gone."""
        gone = set(job_ids)
        return Room(self.worker, {key: hold for key, hold in self.holds.items() if key not in gone})
