"""The scheduler's memory between two rounds of planning: capacity, line, reservation."""

from __future__ import annotations

from collections.abc import Iterable

from .capacity import Capacity
from .line import Line
from .model import Ask, Placement, Waiting
from .plan import Reservation, plan, room_now
from .refusal import waiting_reason


class Scheduler:
    """Owned by the reconcile loop; the inventory reads it. Everything is immediate."""

    def __init__(self, order: Iterable[str] = ()) -> None:
        """``order`` are the names of the executors, the preferred one first."""
        self.capacity = Capacity(order=order)
        self.line = Line()
        self._reservation: Reservation | None = None

    def plan(self, now_ms: int) -> tuple[Placement, ...]:
        """Take out of the line, and book, whoever can start now."""
        if not len(self.line):
            return ()
        result = plan(self.capacity, self.line, now_ms, self._reservation)
        self._reservation = result.reservation
        return result.placements

    def has_room(self, ask: Ask, now_ms: int) -> bool:
        """Whether the job would start at once if it joined the line now."""
        kept = self._reservation
        if kept is not None and kept.ask.job_id not in self.line:
            kept = None
        return room_now(self.capacity, self.line, ask, now_ms, kept)

    def waiting(self) -> list[Waiting]:
        """Everybody in the line, with position and reason."""
        reasons: dict[tuple[object, ...], str] = {}
        found = []
        for position, ask in enumerate(self.line.in_order(), start=1):
            if ask.shape not in reasons:
                reasons[ask.shape] = waiting_reason(self.capacity, ask)
            found.append(Waiting(ask.job_id, position, reasons[ask.shape]))
        return found
