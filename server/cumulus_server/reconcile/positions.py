"""Tells waiting jobs their place in the line and what they wait for, as it changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from cumulus_jupyter.protocol.jobs import QUEUED

from ..scheduling.model import Waiting
from ..scheduling.scheduler import Scheduler
from ..store import Store, Transaction, jobs

#: Jobs told in one transaction.
_BATCH = 200
#: Places up to here are told one by one; those behind, when they have come a tenth closer.
_NEAR = 20
#: Of those behind, so many are looked at in one round; with a long line, everybody's turn comes in time.
_FAR = 400


class Announcer:
    """Writes QUEUED events with position and reason; none for a job that waits a moment only."""

    def __init__(self, store: Store, scheduler: Scheduler, after_s: float) -> None:
        self._store = store
        self._scheduler = scheduler
        self._after_s = after_s
        self._joined: dict[str, float] = {}
        self._told: dict[str, Waiting] = {}
        self._next = _NEAR

    def joined(self, job_id: str) -> None:
        """The job waits from now on."""
        self._joined[job_id] = asyncio.get_running_loop().time()

    def left(self, job_id: str) -> None:
        """The job does not wait any more."""
        self._joined.pop(job_id, None)
        self._told.pop(job_id, None)

    async def announce(self) -> None:
        """Tell those whose place has changed: all at the head of the line, and the next ones of the rest."""
        if not self._joined:
            return
        before = asyncio.get_running_loop().time() - self._after_s
        news = [
            waiting
            for waiting in self._looked_at()
            if self._joined.get(waiting.job_id, before + 1) <= before and self._is_news(waiting)
        ]
        for start in range(0, len(news), _BATCH):
            batch = news[start : start + _BATCH]
            await self._store.run(partial(_write, batch=batch), durable=False)
            self._told.update((told.job_id, told) for told in batch if told.job_id in self._joined)

    def _looked_at(self) -> list[Waiting]:
        start = self._next if self._next < len(self._scheduler.line) else _NEAR
        self._next = start + _FAR
        return self._scheduler.waiting(0, _NEAR) + self._scheduler.waiting(start, self._next)

    def _is_news(self, waiting: Waiting) -> bool:
        told = self._told.get(waiting.job_id)
        if told is None or told.reason != waiting.reason:
            return True
        closer = abs(told.position - waiting.position)
        return closer > 0 and (waiting.position <= _NEAR or closer >= told.position // 10)


def _write(tx: Transaction, batch: list[Waiting]) -> None:
    for waiting in batch:
        job = jobs.find(tx, waiting.job_id)
        if job is not None and job.status == QUEUED and job.released:
            jobs.write_state(tx, replace(job, message=waiting.reason), position=waiting.position)
