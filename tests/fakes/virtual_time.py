"""An event loop on which time passes only when nothing is left to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest import mock

from cumulus_server.store import attempts, events, jobs

T = TypeVar("T")

#: What a virtual loop's wall clock shows at its time 0.
EPOCH_MS = 1_700_000_000_000


class _Selector(selectors.SelectSelector):
    """Never waits: a wait moves the clock instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing can happen any more: the test waits forever")
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds cost nothing; everything happens in the order of its time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def now_ms(self) -> int:
        """A wall clock for this loop."""
        return int(self.time() * 1000) + EPOCH_MS


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on a loop of its own, whose time is the store's too; nothing it has started is left."""
    loop = VirtualLoop()
    try:
        with (
            mock.patch.object(jobs, "now_ms", loop.now_ms),
            mock.patch.object(attempts, "now_ms", loop.now_ms),
            mock.patch.object(events, "now_ms", loop.now_ms),
        ):
            return loop.run_until_complete(work)
    finally:
        while rest := asyncio.all_tasks(loop):
            for task in rest:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.close()
