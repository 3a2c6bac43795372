"""Says to a job's user what the start of its runner waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol

from cumulus_jupyter.protocol.jobs import CREATING_PARTITION, SCHEDULING

from ..store import Store, Transaction, jobs

#: Between two events of this kind, in seconds.
_EVERY_S = 1.0


class Spawn(Protocol):
    """Starts a named task."""

    def __call__(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...


class Telling:
    """Writes words as state events with the state as it is, at most one a second; the newest words win."""

    def __init__(self, store: Store, spawn: Spawn, job_id: str, attempt: int) -> None:
        self._store = store
        self._spawn = spawn
        self._job_id = job_id
        self._attempt = attempt
        self._loop = asyncio.get_running_loop()
        self._words = ""
        self._told = ""
        self._writer: asyncio.Task[None] | None = None

    def __call__(self, words: str) -> None:
        """Tell this, soon. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._take, words)

    def end(self) -> None:
        """Nothing more is to be told."""
        if self._writer is not None:
            self._writer.cancel()

    def _take(self, words: str) -> None:
        self._words = words
        if self._writer is None or self._writer.done():
            self._writer = self._spawn(f"tell {self._job_id}", self._write())

    async def _write(self) -> None:
        while self._told != self._words:
            self._told = self._words
            await self._store.run(self._event, durable=False)
            await asyncio.sleep(_EVERY_S)

    def _event(self, tx: Transaction) -> None:
        job = jobs.find(tx, self._job_id)
        if job is None or job.attempt != self._attempt or job.target != "COMPLETED":
            return
        if job.status in (SCHEDULING, CREATING_PARTITION):
            jobs.write_state(tx, replace(job, message=self._told))
