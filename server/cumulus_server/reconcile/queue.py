"""A work queue by key: one handler a key at a time, wakes merged, failures tried again later."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import islice

from cumulus_jupyter.protocol.errors import Unavailable

log = logging.getLogger(__name__)

#: Handles a key; what it returns is the seconds until it wants to look again by itself.
Handler = Callable[[str], Awaitable[float | None]]


class KeyedQueue:
    """Runs ``handler`` for every key that is woken.

    A key that is woken while it is being handled is handled once more afterwards, however often it
    was woken. A handler that raises is tried again with a back-off of its own.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        concurrency: int = 256,
        backoff_s: float = 0.2,
        backoff_limit_s: float = 30.0,
    ) -> None:
        self._handler = handler
        self._concurrency = concurrency
        self._backoff_s = backoff_s
        self._backoff_limit_s = backoff_limit_s
        #: Looked at from its beginning and taken from there, at once also where it is long.
        self._due: OrderedDict[str, None] = OrderedDict()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._open = False

    def open(self) -> None:
        """Begin to handle keys; those woken before are handled now."""
        self._open = True
        self._dispatch()

    async def close(self) -> None:
        """Stop: handlers that run are cancelled and waited for."""
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self, key: str) -> None:
        """Handle this key as soon as it can be."""
        self._disarm(key)
        self._due[key] = None
        if self._open:
            self._dispatch()

    def wake_after(self, key: str, delay_s: float) -> None:
        """Handle this key after ``delay_s`` seconds, unless it is woken before; replaces an older wish."""
        if not self._open:
            return
        self._disarm(key)
        self._timers[key] = asyncio.get_running_loop().call_later(delay_s, self.wake, key)

    @property
    def busy(self) -> bool:
        """Whether something is being handled or about to be."""
        return bool(self._due or self._running)

    def _disarm(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _dispatch(self) -> None:
        room = self._concurrency - len(self._running)
        waiting = (key for key in self._due if key not in self._running)
        for key in list(islice(waiting, max(0, room))):
            del self._due[key]
            task = asyncio.create_task(self._handle(key), name=f"reconcile {key}")
            self._running[key] = task

    async def _handle(self, key: str) -> None:
        self._due.pop(key, None)  # what it was woken for before it began, it sees now
        try:
            again_s = await self._handler(key)
            self._failures.pop(key, None)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            again_s = min(self._backoff_limit_s, self._backoff_s * 2 ** min(failures - 1, 16))
            # What is only away is no fault: it is worth a line, and no traceback.
            away = isinstance(error, Unavailable)
            if not away or failures in (1, 10, 100):
                log.warning(
                    "%s: could not be moved on, next try in %.1f s: %s", key, again_s, error,
                    exc_info=failures in (1, 10) and not away,
                )  # fmt: skip
        finally:
            del self._running[key]
        if again_s is not None and key not in self._due:
            self.wake_after(key, again_s)
        if self._open and self._due:
            self._dispatch()
