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
from dataclasses import dataclass, field, replace

from .capacity import Capacity
from .forecast import earliest_ms
from .line import Group, Line
from .model import Ask, Order, Placement
from .room import Hold, Room

#: There is one reservation for each so many workers, and at least one.
WORKERS_PER_RESERVATION = 32
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


@dataclass(frozen=True, order=True)
class _Turn:
    """When a group is looked at: its next job's place in the line comes first."""

    order: Order
    group: Group = field(compare=False)
    ask: Ask = field(compare=False)
    #: The longest duration that has a chance.
    limit_s: float = field(default=math.inf, compare=False)


def plan(capacity: Capacity, line: Line, now_ms: int, kept: Kept | None = None) -> Plan:
    """Place whoever can start now. Those placed leave the line, and their places are booked."""
    return _Round(capacity, line, now_ms, kept or {}).run()


def room_now(capacity: Capacity, line: Line, ask: Ask, now_ms: int, kept: Kept) -> bool:
    """Whether a job that joined the line now would start at once."""
    group = line.group_of(ask)
    other = group.head(line.asks, ask.duration_s) if group is not None else None
    if other is not None and other.order < ask.order:
        return False
    before = {worker: each for worker, each in kept.items() if each.ask.order < ask.order}
    return capacity.fit(ask, lambda *place: leaves_room(capacity, before, ask, now_ms, *place)) is not None


def reserve(capacity: Capacity, ask: Ask, now_ms: int, taken: Container[str] = ()) -> Reservation | None:
    """Where the job can start earliest, and when at the latest; ``None`` where no worker that is up suits it.

    Workers that are ``taken`` are passed over.
    """
    best: Reservation | None = None
    avoid = capacity.avoided(ask)
    looked_at = 0
    for pool in capacity.pools(ask):
        for bound_ms, room in pool.forecast(ask.tenths).ascending():
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
    """Whether a job may go there without putting off the one that the worker is kept for."""
    reservation = kept.get(room.worker.id)
    ends_ms = now_ms + ask.duration_s * 1000
    if reservation is None or ends_ms <= reservation.at_ms:
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
        self._before = {
            each.ask.job_id: each
            for each in before.values()
            if line.asks.get(each.ask.job_id) is each.ask
        }
        self._most = 1 + len(capacity.rooms) // WORKERS_PER_RESERVATION
        self._kept: Kept = {}
        self._placements: list[Placement] = []

    def run(self) -> Plan:
        turns = [turn for group in self._groups() if (turn := self._next(group)) is not None]
        heapq.heapify(turns)
        while turns:
            following = self._take(turns[0])
            if following is None:
                heapq.heappop(turns)
            else:
                heapq.heapreplace(turns, following)
        return Plan(tuple(self._placements), self._kept)

    def _groups(self) -> list[Group]:
        groups = self._line.groups()
        if len(self._before) < self._most:
            return groups  # there are reservations to be had
        holding = {id(self._line.group_of(each.ask)) for each in self._before.values()}
        mark = self._capacity.mark
        return [
            group
            for group in groups
            if group.touched or group.kept_from or group.looked != mark or id(group) in holding
        ]

    def _next(self, group: Group, limit_s: float = math.inf) -> _Turn | None:
        ask = group.head(self._line.asks, limit_s)
        if ask is None:
            if limit_s == math.inf:
                self._line.drop(group)
            return None
        return _Turn(ask.order, group, ask, limit_s)

    def _take(self, turn: _Turn) -> _Turn | None:
        """Place a group's next job, or see to it that it waits; the group's next turn."""
        group, ask = turn.group, turn.ask
        group.touched = False
        refused: list[str] = []
        placement = self._place(ask, self._worth_looking_at(turn), refused)
        if placement is not None:
            self._start(ask, placement)
            return self._next(group, turn.limit_s)
        if turn.limit_s == math.inf:
            group.looked = -1 if ask.avoid else self._capacity.mark
            group.kept_from = tuple(refused)
            self._reserve(ask)
        slack_s = [(self._kept[worker].at_ms - self._now_ms) / 1000 for worker in refused]
        limit_s = max((each for each in slack_s if 0 < each < ask.duration_s), default=0)
        return self._next(group, limit_s) if limit_s else None

    def _worth_looking_at(self, turn: _Turn) -> Iterable[str] | None:
        """The workers where there may be room for the group; ``None`` for any."""
        group = turn.group
        if turn.limit_s < math.inf:
            return group.kept_from
        freed = self._capacity.freed_since(group.looked)
        return None if freed is None else [*group.kept_from, *freed]

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
        self._placements.append(placement)

    def _reserve(self, ask: Ask) -> None:
        if len(self._kept) < self._most:
            found = self._still(ask) or reserve(self._capacity, ask, self._now_ms, self._kept)
            if found is not None:
                self._kept[found.worker] = found

    def _still(self, ask: Ask) -> Reservation | None:
        """The job's reservation, where that is still true."""
        known = self._before.get(ask.job_id)
        if known is None or known.worker in self._kept or known.at_ms < self._now_ms:
            return None
        state = self._capacity.state_of(known.worker)
        if state == known.seen:
            return known
        room = self._capacity.rooms.get(known.worker)
        if room is None or not room.takes(ask) or not self._capacity.suits(room.worker, ask):
            return None
        at_ms = earliest_ms(room, ask, self._now_ms, self._capacity.able(room, ask))
        return replace(known, seen=state) if at_ms is not None and at_ms <= known.at_ms else None
