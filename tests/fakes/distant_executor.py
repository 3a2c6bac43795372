"""A fake executor whose outside can be away, as an engine can be stopped and a network cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cumulus_server.executors.base import (
    Ended,
    ExecutorUnavailable,
    Handle,
    InstanceStatus,
    Owned,
    StartRequest,
    Tell,
    Worker,
    silent,
)

from .executor import FakeExecutor, FakeWorld

WHY = "There is no engine: start it"


class DistantExecutor(FakeExecutor):
    """Raises ``ExecutorUnavailable`` while ``there`` is false, and looks only after ``look_s`` seconds."""

    def __init__(
        self,
        world: FakeWorld,
        *,
        there: bool = True,
        look_s: float = 0.5,
        reach: str = "network",
        **more: Any,
    ) -> None:
        super().__init__(world, **more)
        self.there = there
        self.look_s = look_s
        self.reach = reach
        #: What is told while a start is prepared, and how long that takes.
        self.tells: list[tuple[float, str]] = []
        self.asked = 0
        self._looking: asyncio.Task[None] | None = None

    async def open(self, on_end: Callable[[Ended], None], on_change: Callable[[], None]) -> None:
        self._on_end, self.on_change = on_end, on_change
        self._looking = asyncio.create_task(self._look(), name="look")

    async def _look(self) -> None:
        await asyncio.sleep(self.look_s)
        self.trouble = "" if self.there else WHY
        self.settled.set()
        self.on_change()

    async def close(self) -> None:
        await super().close()
        if self._looking is not None:
            self._looking.cancel()

    def leave(self, *, noticed: bool = True) -> None:
        """The outside goes away; unless ``noticed``, only who asks is told."""
        self.there = False
        if noticed:
            self.trouble = WHY
            self.on_change()

    def come(self) -> None:
        """It is back, and that is noticed."""
        self.there, self.trouble = True, ""
        self.on_change()

    def down(self, worker_id: str) -> None:
        """A worker goes down, with all that runs there, and that is told."""
        self._world.workers = [
            replace(each, ready=False, message="heartbeat failure") if each.id == worker_id else each
            for each in self._world.workers
        ]
        for instance in list(self._world.instances.values()):
            if instance.request.worker == worker_id:
                instance.end(InstanceStatus(False, message=f"the worker {worker_id} is down"))
        self.on_change()

    def _ask(self) -> None:
        self.asked += 1
        if not self.there:
            raise ExecutorUnavailable("There is no engine", next="Start it.")

    async def fingerprint(self) -> list[Worker]:
        self._ask()
        return await super().fingerprint()

    async def prepare(self, request: StartRequest, tell: Tell = silent) -> None:
        self._ask()
        for seconds, words in self.tells:
            tell(words)
            await asyncio.sleep(seconds)
        await super().prepare(request, tell)

    async def start(self, request: StartRequest) -> Handle:
        self._ask()
        return await super().start(request)

    async def recover(self, handle: Handle) -> InstanceStatus:
        self._ask()
        return await super().recover(handle)

    async def inspect(self, handle: Handle) -> InstanceStatus:
        self._ask()
        return await super().inspect(handle)

    async def stop(self, handle: Handle, grace_s: float) -> None:
        self._ask()
        await super().stop(handle, grace_s)

    async def destroy(self, handle: Handle, *, ended: bool = False) -> None:
        self._ask()
        await super().destroy(handle, ended=ended)

    async def list_owned(self) -> list[Owned]:
        self._ask()
        return await super().list_owned()
