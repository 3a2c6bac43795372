"""The waiting line: jobs by priority, then age, grouped by what they ask for."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort

from .model import Ask, Order

#: Durations of a doubling are told apart by so many grades.
_GRADES = 8


class Group:
    """Waiting jobs that fit wherever the others fit, so that one that cannot go speaks for all of them.

    They lie in grades of how long they may run: a place that is free for a while only is of use to the
    short ones.
    """

    def __init__(self, shape: tuple[object, ...]) -> None:
        self.shape = shape
        self._grades: dict[int, list[tuple[Order, int, Ask]]] = {}
        self._added = 0
        self._first: Ask | None = None
        #: ``Capacity.mark`` at which nothing but ``kept_from`` had room; -1 where that is not known.
        self.looked = -1
        #: Workers with room that is kept for others.
        self.kept_from: tuple[str, ...] = ()
        #: Whether somebody new may stand at its head.
        self.touched = True

    def add(self, ask: Ask) -> None:
        """Join the group."""
        self._added += 1
        self.touched = True
        if self._first is not None and ask.order < self._first.order:
            self._first = ask
        grade = math.ceil(math.log2(ask.duration_s) * _GRADES)
        heapq.heappush(self._grades.setdefault(grade, []), (ask.order, self._added, ask))

    def head(self, waiting: dict[str, Ask], limit_s: float = math.inf) -> Ask | None:
        """The first that waits of those that run no longer than ``limit_s``.

        Of the grade that the limit falls into, only the very first is considered.
        """
        if limit_s == math.inf:
            if self._first is None or waiting.get(self._first.job_id) is not self._first:
                self._first = self._search(waiting, limit_s)
            return self._first
        return self._search(waiting, limit_s)

    def _search(self, waiting: dict[str, Ask], limit_s: float) -> Ask | None:
        best: Ask | None = None
        for grade, heap in list(self._grades.items()):
            while heap and waiting.get(heap[0][2].job_id) is not heap[0][2]:
                heapq.heappop(heap)
            if not heap:
                del self._grades[grade]
                continue
            ask = heap[0][2]
            if ask.duration_s <= limit_s and (best is None or ask.order < best.order):
                best = ask
        return best


class Line:
    """Waiting jobs, in order, and in groups of jobs alike."""

    def __init__(self) -> None:
        self.asks: dict[str, Ask] = {}
        self._orders: list[Order] = []
        self._groups: dict[tuple[object, ...], Group] = {}

    def __len__(self) -> int:
        return len(self.asks)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.asks

    def add(self, ask: Ask) -> None:
        """Join the line; joining again with the same id is a replacement."""
        self.remove(ask.job_id)
        self.asks[ask.job_id] = ask
        insort(self._orders, ask.order)
        if ask.shape not in self._groups:
            self._groups[ask.shape] = Group(ask.shape)
        self._groups[ask.shape].add(ask)

    def remove(self, job_id: str) -> Ask | None:
        """Leave the line; ``None`` where the job was not in it."""
        ask = self.asks.pop(job_id, None)
        if ask is not None:
            del self._orders[bisect_left(self._orders, ask.order)]
        return ask

    def groups(self) -> list[Group]:
        """The groups, of which some may be empty."""
        return list(self._groups.values())

    def drop(self, group: Group) -> None:
        """Forget a group that is empty."""
        self._groups.pop(group.shape, None)

    def group_of(self, ask: Ask) -> Group | None:
        """Those that wait for the same."""
        return self._groups.get(ask.shape)

    def position(self, job_id: str) -> int:
        """A waiting job's place: 1 is next."""
        return bisect_left(self._orders, self.asks[job_id].order) + 1

    def in_order(self, start: int = 0, stop: int | None = None) -> list[Ask]:
        """Those who wait at these places, counted from 0; the next one first."""
        return [self.asks[job_id] for *_, job_id in self._orders[start:stop]]
