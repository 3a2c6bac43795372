"""The waiting line: jobs by priority, then age, grouped by what they ask for."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from .model import Ask, Order


class Line:
    """Waiting jobs. Those alike wait in one group, so that one that cannot go speaks for all of it."""

    def __init__(self) -> None:
        self._asks: dict[str, Ask] = {}
        self._groups: dict[tuple[object, ...], list[Order]] = {}

    def __len__(self) -> int:
        return len(self._asks)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._asks

    def add(self, ask: Ask) -> None:
        """Join the line; joining again with the same id is a replacement."""
        self._asks[ask.job_id] = ask
        heapq.heappush(self._groups.setdefault((*ask.shape, ask.duration_s), []), ask.order)

    def remove(self, job_id: str) -> Ask | None:
        """Leave the line; ``None`` where the job was not in it."""
        return self._asks.pop(job_id, None)

    def heads(self) -> Iterator[Ask]:
        """The oldest job of each group, in the line's order.

        Removing a job while this runs brings the next one of its group; one that stays ends its
        group's turn.
        """
        turn = [(order, shape) for shape in list(self._groups) if (order := self._head(shape))]
        heapq.heapify(turn)
        while turn:
            order, shape = turn[0]
            if self._head(shape) == order:
                yield self._asks[order[2]]
            following = self._head(shape)
            if following is None or following == order:
                heapq.heappop(turn)
            else:
                heapq.heapreplace(turn, (following, shape))

    def _head(self, shape: tuple[object, ...]) -> Order | None:
        group = self._groups.get(shape)
        while group:
            ask = self._asks.get(group[0][2])
            if ask is not None and (*ask.shape, ask.duration_s) == shape and ask.order == group[0]:
                return group[0]
            heapq.heappop(group)
        self._groups.pop(shape, None)
        return None

    def in_order(self) -> list[Ask]:
        """Everybody who waits, next one first."""
        return sorted(self._asks.values(), key=lambda ask: ask.order)
