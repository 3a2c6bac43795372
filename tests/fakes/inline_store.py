"""The store without its thread: transactions run where they are asked for, in memory or in a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cumulus_server.store import StoredEvent, Transaction
from cumulus_server.store.writer import open_database

T = TypeVar("T")


class InlineStore:
    """``Store.run`` on the event loop. ``crash_after(n)`` makes the n-th commit from now the last."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.tx: Transaction = open_database(path)  # type: ignore[arg-type]
        self.on_events: Callable[[str, Sequence[StoredEvent]], None] | None = None
        self.commits = 0
        self._left: int | None = None
        self._dead = False
        self.on_crash: Callable[[], None] = lambda: None

    def crash_after(self, commits: int | None) -> None:
        """Let that many commits through; right after the last one, the relay is gone."""
        self._left = commits
        self._dead = False

    async def run(self, fn: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """See ``Store.run``."""
        await asyncio.sleep(0)
        if self._dead:
            await asyncio.Event().wait()  # the process that asked is gone
        self.tx.execute("BEGIN")
        changes = self.tx.total_changes
        try:
            result = fn(self.tx)
        except BaseException:
            self.tx.execute("ROLLBACK")
            self.tx.appended.clear()
            raise
        self.tx.execute("COMMIT")
        appended, self.tx.appended = self.tx.appended, []
        if self.tx.total_changes != changes:
            self.commits += 1
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self._left, self._dead = None, True
                    self.on_crash()
                    await asyncio.Event().wait()
        for job_id, event in appended:
            if self.on_events is not None:
                self.on_events(job_id, [event])
        return result

    def close(self) -> None:
        """Close the database."""
        self.tx.close()
