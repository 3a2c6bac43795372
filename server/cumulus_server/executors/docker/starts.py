"""Starts under way: a thread that asks the engine goes on where whoever wanted the start has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event

from ...supervisor import Supervisor

Key = tuple[str, int]


class Starts:
    """Each runs to its own end, which ``settle`` waits for."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._running: dict[Key, asyncio.Event] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._running

    async def run(self, key: Key, make: Callable[[Event], Awaitable[bool]]) -> bool:
        """What ``make(abandoned)`` gives. It is not cancelled, but ``abandoned`` is set."""
        over, abandoned = asyncio.Event(), Event()
        outcome: list[bool | Exception] = []

        async def begin() -> None:
            try:
                outcome.append(await make(abandoned))
            except Exception as error:
                outcome.append(error)
            finally:
                self._running.pop(key, None)
                over.set()

        self._running[key] = over
        self._supervisor.start(f"start {key[0]} {key[1]}", begin)
        try:
            await over.wait()
        except asyncio.CancelledError:
            abandoned.set()
            raise
        if not outcome:
            raise asyncio.CancelledError  # the executor is being closed
        (got,) = outcome
        if isinstance(got, Exception):
            raise got
        return got

    async def settle(self, key: Key) -> None:
        """Wait until no start of this attempt is under way."""
        over = self._running.get(key)
        if over is not None:
            await over.wait()
