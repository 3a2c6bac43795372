"""Images brought from a registry: each once, however many jobs wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ...supervisor import Supervisor
from ..base import StartFailed, Tell
from ..containers import words
from ..containers.engine import Engine
from ..containers.failures import EngineRefused
from ..containers.images import with_tag

#: Seconds without any progress after which a pull has failed.
STALLED_S = 120.0
#: Seconds between two words about the same pull.
_TELL_S = 5.0


class Pulls:
    """The pulls under way."""

    def __init__(self, engine: Engine, supervisor: Supervisor) -> None:
        self._engine, self._supervisor = engine, supervisor
        self._running: dict[str, _Pull] = {}

    async def bring(self, image: str, tell: Tell) -> None:
        """Pull the image. Raises ``StartFailed``. Others that wait for it go on where one is cancelled."""
        name = with_tag(image)
        pull = self._running.get(name)
        if pull is None:
            pull = self._running[name] = _Pull(name)
            made = pull
            self._supervisor.start(f"pull {name}", lambda: self._pull(made))
        tell(pull.words)
        pull.listeners.append(tell)
        try:
            await pull.over.wait()
        finally:
            pull.listeners.remove(tell)
        if pull.error is not None:
            raise pull.error

    async def _pull(self, pull: _Pull) -> None:
        try:
            async with self._engine.stream(
                lambda client: client.api.pull(pull.name, stream=True, decode=True)
            ) as items:
                await _follow(pull, items)
        except EngineRefused as error:
            pull.error = words.of_pull_error(error.message, pull.name)
        except TimeoutError:
            pull.error = words.of_pull_error(f"nothing came for {STALLED_S:g} s", pull.name)
        except StartFailed as error:
            pull.error = error
        except Exception as error:
            pull.error = StartFailed(f"The image {pull.name} could not be pulled: {error}")
            raise
        finally:
            self._running.pop(pull.name, None)
            pull.over.set()


class _Pull:
    def __init__(self, name: str) -> None:
        self.name = name
        self.words = f"pulling the image {name}"
        self.listeners: list[Tell] = []
        self.over = asyncio.Event()
        self.error: Exception | None = None
        self._bytes: dict[str, tuple[int, int]] = {}
        self._told_at = time.monotonic()

    def take(self, item: Mapping[str, Any]) -> None:
        """Look at one line of progress. Raises ``StartFailed`` for an error."""
        if item.get("error"):
            raise words.of_pull_error(str(item["error"]), self.name)
        amounts = item.get("progressDetail") or {}
        if item.get("status") == "Downloading" and amounts.get("total"):
            self._bytes[str(item.get("id"))] = int(amounts.get("current", 0)), int(amounts["total"])
        if time.monotonic() - self._told_at >= _TELL_S and self._bytes:
            self._told_at = time.monotonic()
            done, total = (sum(column) // 10**6 for column in zip(*self._bytes.values(), strict=True))
            self.words = f"pulling the image {self.name}: {done} of {total} MB"
            for tell in list(self.listeners):
                tell(self.words)


async def _follow(pull: _Pull, items: AsyncIterator[Mapping[str, Any]]) -> None:
    while True:
        try:
            async with asyncio.timeout(STALLED_S):
                pull.take(await anext(items))
        except StopAsyncIteration:
            return
