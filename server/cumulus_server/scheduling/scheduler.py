"""The scheduler's memory between two rounds of planning: capacity, line, reservations."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace

from .capacity import Capacity
from .line import Line
from .model import Ask, Placement, Waiting
from .packing import BEST_FIT
from .plan import Kept, plan, room_now
from .waiting import reserved_words, waiting_reason


class Scheduler:
    """Owned by the reconcile loop; the inventory reads it. Everything is immediate."""

    def __init__(self, order: Iterable[str] = (), placement: str = BEST_FIT) -> None:
        """``order`` are the names of the executors, the preferred one first.

        ``placement`` is one of ``packing.PLACEMENTS``.
        """
        self.capacity = Capacity(order=order, placement=placement)
        self.line = Line()
        self._kept: Kept = {}

    def plan(self, now_ms: int) -> tuple[Placement, ...]:
        """Take out of the line, and book, whoever can start now."""
        if not len(self.line):
            return ()
        result = plan(self.capacity, self.line, now_ms, self._kept)
        self._kept = result.kept
        return result.placements

    @property
    def kept(self) -> Kept:
        """The reservations of those that wait, by worker."""
        return {worker: each for worker, each in self._kept.items() if each.ask.job_id in self.line}

    def has_room(self, ask: Ask, now_ms: int) -> bool:
        """Whether the job would start at once if it joined the line now."""
        joining = replace(ask, created_ms=now_ms, number=sys.maxsize)
        return room_now(self.capacity, self.line, joining, now_ms, self.kept)

    def reason(self, ask: Ask) -> str:
        """Why the job does not start now; for one that is not in the line."""
        return waiting_reason(self.capacity, ask, self.kept)

    def waiting(self, start: int = 0, stop: int | None = None) -> list[Waiting]:
        """Those in the line at these places, counted from 0, each with position and reason."""
        kept = self.kept
        own = {each.ask.job_id: each for each in kept.values()}
        reasons: dict[tuple[object, ...], str] = {}
        found = []
        for position, ask in enumerate(self.line.in_order(start, stop), start=start + 1):
            if ask.shape not in reasons:
                reasons[ask.shape] = waiting_reason(self.capacity, ask, kept)
            reason = reasons[ask.shape]
            if ask.job_id in own:
                reason = f"{reason}; {reserved_words(own[ask.job_id])}"
            found.append(Waiting(ask.job_id, position, reason))
        return found
