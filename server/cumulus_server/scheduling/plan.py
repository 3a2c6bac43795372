"""The plan: who starts now, and for whom places are kept.

Jobs start in order of priority, then age. Those first in the line that have to wait get *reservations*,
each on a worker of its own: the one on which the job could start earliest, by the times at which the
jobs there must have ended. Others behind it may slip past, but on that worker only if they are over by then
or leave its place free. So the first in line is never put off by those behind it, and everybody becomes
first: who stands before a job is bounded by ``PRIORITY_STEP_MS``.

One reservation would do for that. There are more with more workers, so that jobs for whole workers need
not wait for one another while a cluster is full of shares.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Container, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace

from .capacity import Capacity
from .forecast import earliest_ms
from .line import Group, Line
from .model import DEVICE_TENTHS, Ask, Placement
from .room import Hold, Room

#: There is one reservation for each so many workers, and at least one.
WORKERS_PER_RESERVATION = 4
#: Workers whose jobs' ends are looked at one by one to find the earliest place.
_LOOKED_AT = 64


@dataclass(frozen=True)
class Reservation:
    """A worker kept for a job that has to wait, and when it can start there at the latest."""

    ask: Ask
    worker: str
    at_ms: int
    #: ``Capacity.state_of`` the worker when this was found to be true.
    seen: tuple[int, int] = field(default=(-1, -1), compare=False)


#: Reservations by worker.
Kept = dict[str, Reservation]


@dataclass(frozen=True)
class Plan:
    """What to start, in order, and the reservations to bring to the next round."""

    placements: tuple[Placement, ...]
    kept: Kept


def plan(capacity: Capacity, line: Line, now_ms: int, kept: Kept | None = None) -> Plan:
    """Place whoever can start now. Those placed leave the line, and their places are booked."""
    placements: list[Placement] = []
    kept = kept or {}
    while True:
        # Where a reservation ends within a round, somebody who was passed over may go there.
        looked = _Round(capacity, line, now_ms, kept)
        kept = looked.run()
        placements += looked.placements
        if not looked.released:
            return Plan(tuple(placements), kept)


def room_now(capacity: Capacity, line: Line, ask: Ask, now_ms: int, kept: Kept) -> bool:
    """Whether a job that joined the line now would start at once."""
    group = line.group_of(ask)
    other = group.head(line.asks, ask.duration_s) if group is not None else None
    if other is not None and other.order < ask.order:
        return False
    return capacity.fit(ask, lambda *place: leaves_room(capacity, kept, ask, now_ms, *place)) is not None


def reserve(capacity: Capacity, ask: Ask, now_ms: int, taken: Container[str] = ()) -> Reservation | None:
    """Where the job can start earliest, and when at the latest; ``None`` where no worker that is up suits it.

    Workers that are ``taken`` are passed over.
    """
    best: Reservation | None = None
    avoid = capacity.avoided(ask)
    looked_at = 0
    for pool in capacity.pools(ask):
        with closing(pool.forecast(ask.tenths).ascending()) as rooms:
            for bound_ms, room in rooms:
                if best is not None and (max(now_ms, bound_ms) >= best.at_ms or looked_at >= _LOOKED_AT):
                    break
                id = room.worker.id
                if id in taken or id in avoid or not room.takes(ask):
                    continue
                looked_at += 1
                at_ms = earliest_ms(room, ask, now_ms, pool.able(ask))
                if at_ms is not None and (best is None or at_ms < best.at_ms):
                    best = Reservation(ask, id, at_ms, capacity.state_of(id))
    return best


def leaves_room(
    capacity: Capacity, kept: Kept, ask: Ask, now_ms: int, room: Room, placement: Placement
) -> bool:
    """Whether a job may go there without putting off one ahead of it that the worker is kept for."""
    reservation = kept.get(room.worker.id)
    ends_ms = now_ms + ask.duration_s * 1000
    if reservation is None or ends_ms <= reservation.at_ms or ask.order <= reservation.ask.order:
        return True
    over = [hold.job_id for hold in room.holds.values() if hold.ends_ms <= reservation.at_ms]
    then = room.without(over)
    then.add(Hold(ask.job_id, placement.shares, ask.cpu, ask.memory_mib, ends_ms))
    return then.fits(reservation.ask, capacity.able(room, reservation.ask))


class _Round:
    """One look at the line, in order. Groups for which nothing can have changed are passed over."""

    def __init__(self, capacity: Capacity, line: Line, now_ms: int, before: Kept) -> None:
        self._capacity = capacity
        self._line = line
        self._now_ms = now_ms
        self._most = 1 + len(capacity.rooms) // WORKERS_PER_RESERVATION
        self._kept: Kept = {}
        for worker, each in before.items():
            still = self._still(each)
            if still is None:
                capacity.note_freed(worker)
            else:
                self._kept[worker] = still
        #: The worker kept for a job, by job.
        self._kept_for = {each.ask.job_id: worker for worker, each in self._kept.items()}
        self._mark = capacity.mark
        self._largest: dict[str, int] = {}
        self.placements: list[Placement] = []
        #: Whether a worker may not be kept any more that was kept when others were looked at.
        self.released = False

    def run(self) -> Kept:
        turns = [
            (ask.order, number, group, ask, math.inf)
            for number, group in enumerate(self._line.groups())
            if (ask := self._head(group)) is not None and self._has_a_chance(group, ask)
        ]
        heapq.heapify(turns)
        while turns:
            _, number, group, ask, limit_s = turns[0]
            limit_s = self._take(group, ask, limit_s)
            following = group.head(self._line.asks, limit_s) if limit_s else None
            if following is None:
                heapq.heappop(turns)
            else:
                heapq.heapreplace(turns, (following.order, number, group, following, limit_s))
        return self._kept

    def _head(self, group: Group) -> Ask | None:
        ask = group.head(self._line.asks)
        if ask is None:
            self._line.drop(group)
        return ask

    def _has_a_chance(self, group: Group, ask: Ask) -> bool:
        """Whether a group's first can be placed, or needs a reservation that can be had."""
        freed = self._capacity.freed_since(group.looked)
        if group.touched or freed is None or any(self._may_hold(worker, ask) for worker in freed):
            return True
        group.looked = self._mark
        return len(self._kept) < self._most and ask.job_id not in self._kept_for

    def _may_hold(self, worker_id: str, ask: Ask) -> bool:
        """Whether a worker has room, as far as can be told in no time."""
        room = self._capacity.rooms.get(worker_id)
        if room is None or not room.takes(ask) or not room.open_for(ask):
            return False
        if worker_id not in self._largest:
            run = DEVICE_TENTHS * room.longest_run()
            self._largest[worker_id] = run or max(room.free, default=0)
        return self._largest[worker_id] >= ask.tenths

    def _take(self, group: Group, ask: Ask, limit_s: float) -> float:
        """Place a group's next job, or see to it that it waits.

        Returns the longest duration with which others of the group still have a chance; 0 for none.
        """
        if limit_s == math.inf and not self._has_a_chance(group, ask):
            return 0  # somebody ahead has taken what there was
        refused: list[str] = []
        placement = self._place(ask, self._worth_looking_at(group, limit_s), refused)
        if placement is not None:
            self._start(ask, placement)
            return limit_s
        if limit_s == math.inf:
            group.touched = False
            group.looked = -1 if ask.avoid else self._mark
            group.kept_from = tuple(refused)
            self._reserve(ask)
        slack_s = [(self._kept[worker].at_ms - self._now_ms) / 1000 for worker in refused]
        return max((each for each in slack_s if 0 < each < ask.duration_s), default=0)

    def _worth_looking_at(self, group: Group, limit_s: float) -> Iterable[str] | None:
        """The workers where there may be room for the group; ``None`` for any.

        Those with room that is kept for others are of use to newcomers only: it has been seen that nobody
        else is over in time, and time does not make that better.
        """
        if limit_s < math.inf:
            return group.kept_from
        freed = self._capacity.freed_since(group.looked)
        return [*group.kept_from, *freed] if freed is not None and group.touched else freed

    def _place(self, ask: Ask, among: Iterable[str] | None, refused: list[str]) -> Placement | None:
        def allowed(room: Room, placement: Placement) -> bool:
            if leaves_room(self._capacity, self._kept, ask, self._now_ms, room, placement):
                return True
            refused.append(room.worker.id)
            return False

        return self._capacity.fit(ask, allowed, among)

    def _start(self, ask: Ask, placement: Placement) -> None:
        ends_ms = self._now_ms + ask.duration_s * 1000
        self._capacity.take(placement, cpu=ask.cpu, memory_mib=ask.memory_mib, ends_ms=ends_ms)
        self._line.remove(ask.job_id)
        self.placements.append(placement)
        self._largest.pop(placement.worker, None)
        # Somebody ahead of the one it is kept for may have taken its place: that is looked at anew.
        self.released = self.released or placement.worker in self._kept
        if ask.job_id in self._kept_for:
            self._release(ask.job_id)

    def _release(self, job_id: str) -> None:
        """Keep the job's worker no more; those who were refused there may go there now."""
        worker = self._kept_for.pop(job_id)
        del self._kept[worker]
        self.released = True
        self._capacity.note_freed(worker)

    def _reserve(self, ask: Ask) -> None:
        if ask.job_id in self._kept_for:
            return
        last = max((each.ask for each in self._kept.values()), key=lambda other: other.order, default=None)
        full = len(self._kept) >= self._most
        if full and last is not None and last.order < ask.order:
            return
        found = reserve(self._capacity, ask, self._now_ms, self._kept)
        if found is None:
            # Those behind give up the only worker that is of use to this one: they would delay it there.
            ahead = {worker for worker, each in self._kept.items() if each.ask.order < ask.order}
            found = reserve(self._capacity, ask, self._now_ms, ahead)
        if found is not None:
            if found.worker in self._kept:
                self._release(self._kept[found.worker].ask.job_id)
            elif full and last is not None:
                self._release(last.job_id)
            self._kept[found.worker] = found
            self._kept_for[ask.job_id] = found.worker

    def _still(self, known: Reservation) -> Reservation | None:
        """A reservation of the last round, where it is still true."""
        ask = known.ask
        if self._line.asks.get(ask.job_id) is not ask or known.at_ms < self._now_ms:
            return None
        state = self._capacity.state_of(known.worker)
        if state == known.seen:
            return known
        room = self._capacity.rooms.get(known.worker)
        if room is None or not room.takes(ask) or not self._capacity.suits(room.worker, ask):
            return None
        at_ms = earliest_ms(room, ask, self._now_ms, self._capacity.able(room, ask))
        return replace(known, seen=state) if at_ms is not None and at_ms <= known.at_ms else None
