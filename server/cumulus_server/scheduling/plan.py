"""The plan: who starts now, and for whom a place is kept.

Jobs start in order of priority, then age. The first one that has to wait gets a *reservation*: the
worker on which it could start earliest, by the time the jobs there must have ended. Smaller ones
behind it may slip past, but on that worker only if they are over by then or leave its place free. So
the first in line is never put off by those behind it, and everybody becomes first.
"""

from __future__ import annotations

from dataclasses import dataclass

from .capacity import Capacity
from .line import Line
from .model import Ask, Placement
from .room import Hold, Room


@dataclass(frozen=True)
class Reservation:
    """The worker kept for the first job that has to wait, and when it can start there at the latest."""

    ask: Ask
    worker: str
    at_ms: int


@dataclass(frozen=True)
class Plan:
    """What to start, in order, and the reservation to bring to the next round."""

    placements: tuple[Placement, ...]
    reservation: Reservation | None


def plan(capacity: Capacity, line: Line, now_ms: int, reservation: Reservation | None = None) -> Plan:
    """Place whoever can start now. Those placed leave the line, and their places are booked."""
    placements: list[Placement] = []
    kept: Reservation | None = None
    for ask in line.heads():
        placement = _place(capacity, ask, kept, now_ms)
        if placement is not None:
            capacity.take(
                placement, cpu=ask.cpu, memory_mib=ask.memory_mib, ends_ms=now_ms + ask.duration_s * 1000
            )
            line.remove(ask.job_id)
            placements.append(placement)
        elif kept is None:
            still = reservation is not None and reservation.ask == ask
            kept = reservation if still and _holds(capacity, reservation) else reserve(capacity, ask, now_ms)
    return Plan(tuple(placements), kept)


def room_now(capacity: Capacity, line: Line, ask: Ask, now_ms: int, kept: Reservation | None) -> bool:
    """Whether a job that joined the line now would start at once."""
    if any(waiting.shape == ask.shape and waiting.order < ask.order for waiting in line.heads()):
        return False
    return _place(capacity, ask, kept, now_ms) is not None


def reserve(capacity: Capacity, ask: Ask, now_ms: int) -> Reservation | None:
    """Where and when the job can start at the latest; ``None`` where no worker that is up suits it."""
    best: Reservation | None = None
    for room in capacity.rooms.values():
        if room.worker.ready and capacity.suits(room.worker, ask):
            at_ms = _earliest_ms(room, ask, now_ms)
            if at_ms is not None and (best is None or at_ms < best.at_ms):
                best = Reservation(ask, room.worker.id, at_ms)
    return best


def _earliest_ms(room: Room, ask: Ask, now_ms: int) -> int | None:
    if room.fits(ask):
        return now_ms
    later = room.without(())
    for hold in sorted(room.holds.values(), key=lambda hold: hold.ends_ms):
        later.remove(hold.job_id)
        if later.fits(ask):
            return max(now_ms, hold.ends_ms)
    return None


def _place(capacity: Capacity, ask: Ask, kept: Reservation | None, now_ms: int) -> Placement | None:
    if kept is None or kept.ask.job_id == ask.job_id:
        return capacity.fit(ask)
    ends_ms = now_ms + ask.duration_s * 1000

    def leaves_room(room: Room, placement: Placement) -> bool:
        if room.worker.id != kept.worker or ends_ms <= kept.at_ms:
            return True
        over = [hold.job_id for hold in room.holds.values() if hold.ends_ms <= kept.at_ms]
        then = room.without(over)
        then.add(Hold(ask.job_id, placement.shares, ask.cpu, ask.memory_mib, ends_ms))
        return then.fits(kept.ask)

    return capacity.fit(ask, leaves_room)


def _holds(capacity: Capacity, reservation: Reservation | None) -> bool:
    if reservation is None:
        return False
    room = capacity.rooms.get(reservation.worker)
    return room is not None and room.worker.ready and capacity.suits(room.worker, reservation.ask)
