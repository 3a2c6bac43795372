"""When workers will have room at the latest, by the times at which the jobs on them must have ended."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Mapping

from .model import DEVICE_TENTHS, Ask
from .room import Able, Hold, Room


class Forecast:
    """The workers of a pool by the earliest time at which so many tenths can be free on them.

    The times are lower bounds: they look at devices only. A worker is looked at again when the order is
    asked for, and only if it has changed.
    """

    def __init__(self, tenths: int, rooms: Mapping[str, Room]) -> None:
        self._tenths = tenths
        self._rooms = rooms
        self._heap: list[tuple[int, int, str]] = []
        self._at: dict[str, int] = {}
        self._stale = dict.fromkeys(rooms)

    def changed(self, worker_id: str) -> None:
        """The worker holds more or less than before, came, or went."""
        self._stale[worker_id] = None

    def ascending(self) -> Generator[tuple[int, Room], None, None]:
        """The workers with their lower bounds in epoch milliseconds, the earliest first. To be closed."""
        self._refresh()
        seen: dict[str, tuple[int, int, str]] = {}
        try:
            while self._heap:
                entry = heapq.heappop(self._heap)
                at_ms, _, worker_id = entry
                if self._at.get(worker_id) == at_ms and worker_id not in seen:
                    seen[worker_id] = entry
                    yield at_ms, self._rooms[worker_id]
        finally:
            for entry in seen.values():
                heapq.heappush(self._heap, entry)

    def _refresh(self) -> None:
        for worker_id in self._stale:
            room = self._rooms.get(worker_id)
            at_ms = None if room is None else soonest_ms(room, self._tenths)
            if room is None or at_ms is None:
                self._at.pop(worker_id, None)
            elif self._at.get(worker_id) != at_ms:
                self._at[worker_id] = at_ms
                heapq.heappush(self._heap, (at_ms, room.rank, worker_id))
        self._stale.clear()
        if len(self._heap) > 2 * len(self._at) + 16:
            self._heap = [(at_ms, self._rooms[id].rank, id) for id, at_ms in self._at.items()]
            heapq.heapify(self._heap)


def soonest_ms(room: Room, tenths: int) -> int | None:
    """A time before which so many tenths cannot be free, 0 for now; ``None`` where they never can."""
    if not tenths:
        return 0
    if tenths >= DEVICE_TENTHS:
        ends = [0] * len(room.free)
        for hold in room.holds.values():
            for share in hold.shares:
                at = room.index.get(share.device)
                if at is not None and hold.ends_ms > ends[at]:
                    ends[at] = hold.ends_ms
        count = tenths // DEVICE_TENTHS
        windows = range(len(ends) - count + 1)
        return min((max(ends[at : at + count]) for at in windows), default=None)
    if max(room.free, default=0) >= tenths:
        return 0
    left = list(room.free)
    for hold in sorted(room.holds.values(), key=_ends_ms):
        for share in hold.shares:
            at = room.index.get(share.device)
            if at is not None:
                left[at] += share.tenths
                if left[at] >= tenths:
                    return hold.ends_ms
    return None


def _ends_ms(hold: Hold) -> int:
    return hold.ends_ms


def earliest_ms(room: Room, ask: Ask, now_ms: int, able: Able) -> int | None:
    """When the job can start here at the latest; ``None`` where it never can."""
    if room.fits(ask, able):
        return now_ms
    later = room.without(())
    for hold in sorted(room.holds.values(), key=_ends_ms):
        later.remove(hold.job_id)
        if later.fits(ask, able):
            return max(now_ms, hold.ends_ms)
    return None
