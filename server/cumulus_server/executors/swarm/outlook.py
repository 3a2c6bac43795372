"""Whether the Swarm can be used, and what there is: kept up to date, and told when it changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from ...supervisor import Supervisor
from ..base import ExecutorUnavailable, StartFailed
from ..containers.failures import EngineRefused
from .manager import Manager, settle
from .supplies import Supplies
from .watch import Watch

log = logging.getLogger(__name__)

#: Seconds between two looks at the nodes: while something is live, and otherwise.
BUSY_S, IDLE_S = 3.0, 10.0
#: What is heard of at once.
_EVENTS = {"type": ["node", "image"]}


class Outlook:
    """One manager's. Runs until its supervisor stops."""

    def __init__(self, manager: Manager, supplies: Supplies, watch: Watch) -> None:
        self.settled = asyncio.Event()
        self.trouble = f"The Docker Engine at {manager.engine.host} has not answered yet"
        self._manager, self._supplies, self._watch = manager, supplies, watch
        self._look = asyncio.Event()
        self._images_changed = True

    def open(self, supervisor: Supervisor, on_change: Callable[[], None]) -> None:
        """Begin."""

        async def look() -> None:
            while True:
                self._look.clear()
                if await self._look_once():
                    on_change()
                self.settled.set()
                await settle(BUSY_S if self._watch.busy else IDLE_S, self._look)

        supervisor.start("swarm nodes", look, restart=True)
        supervisor.start("swarm tasks", self._watch.keep_looking_at_tasks, restart=True)
        supervisor.start("swarm events", self._follow, restart=True)

    async def _look_once(self) -> bool:
        """Look at everything; whether something has changed."""
        before, changed = self.trouble, False
        try:
            changed = await self._watch.look_at_nodes()
            if self._images_changed:
                self._images_changed = False
                changed = await self._supplies.look_at_images() or changed
            await self._supplies.files()
            self.trouble = ""
        except (ExecutorUnavailable, EngineRefused, StartFailed) as error:
            self.trouble = f"{error.message}. {error.next}".strip()
            self._images_changed = True
        if self.trouble and self.trouble != before:
            log.debug("no jobs for the Swarm: %s", self.trouble)
        return changed or self.trouble != before

    async def _follow(self) -> None:
        """Look at once when the manager tells of a node or an image."""
        while True:
            await self.settled.wait()
            if not self.trouble:
                with contextlib.suppress(ExecutorUnavailable, EngineRefused):
                    async with self._manager.engine.follow(_EVENTS) as events:
                        async for event in events:
                            self._images_changed |= event.get("Type") == "image"
                            self._look.set()
                self._look.set()
            await asyncio.sleep(BUSY_S)
