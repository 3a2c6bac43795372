"""Builders of dependency environments on the engine, run to their ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from ..base import InstanceStatus
from ..containers import environments
from ..containers.engine import Engine
from ..containers.plan import RELAY, ROLE, ContainerPlan
from . import instances

log = logging.getLogger(__name__)

#: Seconds a builder may take.
_BUILD_S = 1800.0


class Builders:
    """Those under way."""

    def __init__(
        self, engine: Engine, relay_id: str, make: Callable[[ContainerPlan], Awaitable[object]]
    ) -> None:
        """``make`` has the engine start a planned container."""
        self._engine, self._make = engine, make
        self.volume = environments.volume_name(relay_id)
        self._marks = {RELAY: relay_id, ROLE: environments.ROLE}
        self._running: dict[str, asyncio.Event] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._running

    async def build(self, wanted: ContainerPlan) -> bool:
        """Run a builder and remove it; whether it has succeeded."""
        over = self._running[wanted.name] = asyncio.Event()
        try:
            marks = self._marks
            await self._engine.call(lambda client: client.api.create_volume(self.volume, labels=marks))
            await self._make(wanted)
            status = InstanceStatus(True)
            async with asyncio.timeout(_BUILD_S):
                while status.alive:  # what is told of its end may be from before it began
                    await over.wait()
                    over.clear()
                    status = await self._engine.call(partial(instances.status, name=wanted.name))
            if status.exit_code != 0:
                log.info("an environment could not be built: %s", status.message)
            return status.exit_code == 0
        finally:
            del self._running[wanted.name]
            await self._engine.call(partial(instances.remove, name=wanted.name))

    def ended(self, name: str) -> None:
        """The container of this name has ended, if it is one of them."""
        if name in self._running:
            self._running[name].set()

    def compare(self, running: Collection[str]) -> None:
        """Only these containers run."""
        for name in self._running.keys() - set(running):
            self._running[name].set()
