"""Owns every background task of the relay, by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_BACKOFF_FIRST_S = 0.1
_BACKOFF_LAST_S = 30.0


class Supervisor:
    """Starts tasks, notices when one ends by itself, and ends all of them at the stop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, run: Callable[[], Awaitable[None]], *, restart: bool = False) -> None:
        """Run ``run()`` as the task ``name``. With ``restart`` a crash starts it again, slower each time."""
        if name in self._tasks:
            raise ValueError(f"a task {name!r} is running already")
        task = asyncio.get_running_loop().create_task(self._keep(name, run, restart), name=f"cumulus-{name}")
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def stop(self) -> None:
        """Cancel every task and wait until all have ended. Idempotent."""
        tasks = [task for task in self._tasks.values() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def names(self) -> list[str]:
        """Names of the running tasks."""
        return sorted(self._tasks)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]], restart: bool) -> None:
        wait_s = _BACKOFF_FIRST_S
        while True:
            try:
                await run()
                return
            except Exception:
                log.exception("the task %s has crashed", name, extra={"action": "task_crashed"})
            if not restart:
                return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _BACKOFF_LAST_S)
