"""Takes up executors whose outside is looked for in the background, so that no start waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..executors.base import Executor, ExecutorUnavailable
from .recovery import take_over

if TYPE_CHECKING:
    from .loop import Reconciler

log = logging.getLogger(__name__)

#: Between two tries to take over what an executor has, in seconds: the first, and the longest.
_AGAIN_FIRST_S, _AGAIN_LAST_S = 0.5, 30.0


class Opening:
    """Until an executor is taken up, its workers take no job and nothing is concluded from its silence."""

    def __init__(self, loop: Reconciler) -> None:
        self._loop = loop
        self._news: dict[str, asyncio.Event] = {}

    def hold_back(self, executors: Iterable[Executor]) -> None:
        """These are not taken up yet."""
        for executor in executors:
            self._news[executor.name] = asyncio.Event()
            self._loop.live.awaited.add(executor.name)
            self._loop.inventory.hold_back(executor)

    def changed(self, executor: Executor) -> None:
        """The executor has news."""
        if executor.settled.is_set() and not executor.trouble:
            self._loop.inventory.look_again(executor)
        self._news[executor.name].set()

    async def take_up(self, executor: Executor) -> None:
        """Take the executor up as soon as it can be used; returns when that is done."""
        loop, news = self._loop, self._news[executor.name]
        await executor.settled.wait()
        again_s = _AGAIN_FIRST_S
        while True:
            news.clear()
            if not executor.trouble:
                try:
                    await take_over(loop, executor)
                    break
                except ExecutorUnavailable as error:
                    log.info("the executor %s cannot be used yet: %s", executor.name, error.message)
                except Exception:
                    log.exception("the executor %s cannot be taken up; it is tried again", executor.name)
            loop.inventory.give_up(executor)
            loop.plan()
            try:
                async with asyncio.timeout(again_s):
                    await news.wait()
                again_s = _AGAIN_FIRST_S
            except TimeoutError:
                again_s = min(2 * again_s, _AGAIN_LAST_S)
        loop.live.awaited.discard(executor.name)
        await _announce(executor)
        loop.plan()


async def _announce(executor: Executor) -> None:
    """Log what can be used now."""
    for worker in await executor.fingerprint():
        pythons = ", ".join(worker.pythons) or "none yet"
        state = f"{worker.slots} jobs at once, Python {pythons}" if worker.ready else "down"
        why = f": {worker.message}" if worker.message else ""
        log.info("the executor %s has the worker %s: %s%s", executor.name, worker.id, state, why)
