"""Removes jobs that are older than the history that is kept, from the database and the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..store import Store, removal
from ..store.clock import now_ms
from .files import Files

log = logging.getLogger(__name__)

_BATCH = 50
_EVERY_S = 3600.0


class History:
    """Sweeps at the start and every hour. A sweep that was cut off is finished by the next."""

    def __init__(
        self, store: Store, files: Files, history_s: int, removed: Callable[[], None] = lambda: None
    ) -> None:
        """``removed`` is called when jobs are gone."""
        self._store = store
        self._files = files
        self._history_s = history_s
        self._removed = removed

    async def run(self) -> None:
        """Sweep for ever; supervised."""
        while True:
            await self.sweep()
            await asyncio.sleep(_EVERY_S)

    async def sweep(self) -> int:
        """Remove every job that ended too long ago; how many there were."""
        before_ms = now_ms() - self._history_s * 1000
        removed = 0
        while ids := await self._store.run(lambda tx: removal.remove_ended(tx, before_ms, _BATCH), slow=True):
            await asyncio.to_thread(self._forget, ids)
            removed += len(ids)
        if removed:
            self._removed()
            log.info("removed %d jobs from the history", removed, extra={"action": "history_swept"})
        while await self._store.run(removal.shrink, slow=True):
            pass
        return removed

    async def remove_strays(self) -> None:
        """Remove the files of jobs that the database does not know. Before submissions are accepted."""
        on_disk = await asyncio.to_thread(self._files.kept)
        known = await self._store.run(removal.known_ids, slow=True)
        await asyncio.to_thread(self._forget, sorted(on_disk - known))

    def _forget(self, ids: list[str]) -> None:
        for job_id in ids:
            self._files.forget(job_id)
