"""The loop's own tasks: named, watched, and ended with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Await ``work``, which asks somebody outside. Raises ``TimeoutError``; a cancellation is never lost."""
    async with asyncio.timeout(seconds):
        return await work


class TaskPool:
    """Tasks of one owner. Whoever closes it leaves none behind."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work``; what it raises is logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def repeat(self, name: str, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Run ``work`` every ``every_s`` seconds; a round that raises is logged, and the next one comes."""

        async def rounds() -> None:
            while True:
                await asyncio.sleep(every_s)
                try:
                    await work()
                except Exception:
                    log.exception("%s failed; it is tried again", name)

        self.spawn(name, rounds())

    async def close(self) -> None:
        """Cancel all and wait for their end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())
