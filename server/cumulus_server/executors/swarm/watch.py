"""Looks at the nodes and at the tasks of what was started, and tells what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..base import ExecutorUnavailable, InstanceStatus
from . import nodes, tasks
from .manager import Manager, settle
from .nodes import Node
from .tasks import Key, Task

#: Seconds between two looks at the tasks, while something is live; and while somebody waits for an end.
TASKS_S, HASTE_S = 1.0, 0.1
#: Seconds that Swarm may take to make a task, and to find a place for it.
_APPEAR_S, _PLACE_S = 20.0, 20.0
#: Seconds after which a task that is not there any more counts as gone.
_ABSENT_S = 3.0


@dataclass
class Watched:
    """One attempt whose end is to be told. Times are the event loop's clock."""

    name: str
    node: str
    worker: str
    since: float
    #: Since when its task is absent, or without a place.
    absent_since: float | None = None
    waiting_since: float | None = None
    #: Its service was removed on purpose: it ends by that.
    leaving: bool = False
    renamed: bool = False
    #: Takes ``None`` when its container is there, or how it ended before; then nothing is told.
    begun: asyncio.Future[InstanceStatus | None] | None = None


class Watch:
    """What is known of a Swarm, kept up to date by ``look_at_nodes`` and ``look_at_tasks``."""

    def __init__(
        self,
        manager: Manager,
        on_end: Callable[[Key, InstanceStatus], None],
        on_lacking: Callable[[str, Task], Awaitable[None]],
    ) -> None:
        """``on_lacking`` starts the service of this name again, which has found no image by its id."""
        self.manager = manager
        self.nodes: dict[str, Node] = {}
        self._on_end, self._on_lacking = on_end, on_lacking
        self._watched: dict[Key, Watched] = {}
        self._tasks: dict[Key, Task] = {}
        #: Node's id and image, of what a node has had.
        self.images: set[tuple[str, str]] = set()
        self._wanted, self._hurry = asyncio.Event(), asyncio.Event()
        self._waiters: dict[Key, asyncio.Future[None]] = {}

    @property
    def busy(self) -> bool:
        """Whether something is live."""
        return bool(self._watched or self._waiters)

    def add(self, key: Key, name: str, node: str, worker: str, *, leaving: bool = False) -> None:
        """Tell this attempt's end."""
        known = self._watched.get(key)
        if known is None:
            self._watched[key] = Watched(name, node, worker, _now(), leaving=leaving)
            self._wanted.set()
        elif leaving:
            known.leaving = True

    async def begun(self, key: Key) -> InstanceStatus | None:
        """Wait until the attempt has a container; how it ended where it has come to none, and only here."""
        watched = self._watched.get(key)
        if watched is None:
            return None
        if watched.begun is None:
            watched.begun = asyncio.get_running_loop().create_future()
        return await asyncio.shield(watched.begun)

    def drop(self, key: Key) -> None:
        """Tell nothing more of it."""
        watched = self._watched.pop(key, None)
        if watched is not None and watched.begun is not None:
            watched.begun.cancel()

    def has(self, key: Key) -> bool:
        """Whether its end is still to be told."""
        return key in self._watched

    def status_of(self, task: Task) -> InstanceStatus:
        """How it is, by its task and its node."""
        node = self.nodes.get(task.node)
        return tasks.status(task, node, node.name if node else task.node[:12])

    async def gone(self, key: Key, timeout_s: float) -> bool:
        """Wait until no task of this attempt is left on a node that answers; whether that is so."""
        waiter = self._waiters.setdefault(key, asyncio.get_running_loop().create_future())
        self._wanted.set()
        self._hurry.set()
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(waiter)
            return True
        except TimeoutError:
            return False
        finally:
            if self._waiters.get(key) is waiter:
                del self._waiters[key]

    async def look_at_nodes(self) -> bool:
        """Look once, and tell what was lost with a node; whether anything has changed."""
        found = nodes.parse(await self.manager.nodes())
        changed, self.nodes = found != self.nodes, found
        for key, watched in list(self._watched.items()):
            node = found.get(watched.node)
            if watched.node and node is None:
                message = f"the worker {watched.worker} has left the Swarm"
                self._tell(key, InstanceStatus(False, message=message))
            elif node is not None and node.down:
                self._tell(key, tasks.is_down(watched.worker))
        return changed

    async def keep_looking_at_tasks(self) -> None:
        """Look while something is live, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self.busy:
                self._hurry.clear()
                try:
                    await self.look_at_tasks()
                except ExecutorUnavailable:
                    await asyncio.sleep(TASKS_S)  # whoever looks at the nodes tells of it
                await asyncio.sleep(HASTE_S)
                if not self._waiters:
                    await settle(TASKS_S - HASTE_S, self._hurry)

    async def look_at_tasks(self) -> None:
        """Look once, at all of them with one request, and tell who has ended."""
        begun = _now()
        found = await self.manager.tasks()
        for key, watched in list(self._watched.items()):
            if watched.since < begun:
                await self._judge(key, watched, found.get(key))
        for key, waiter in list(self._waiters.items()):
            if not waiter.done() and not self.holds(found.get(key)):
                waiter.set_result(None)

    async def _judge(self, key: Key, watched: Watched, task: Task | None) -> None:
        now = _now()
        if task is None:
            await self._absent(key, watched, now)
            return
        watched.absent_since = None
        if task.begun:
            self.images.add((task.node, task.image))
            if watched.begun is not None and not watched.begun.done():
                watched.begun.set_result(None)
        if task.lacks_image_by_id and not watched.leaving:
            if not watched.renamed:
                await self._on_lacking(watched.name, task)
                watched.renamed = True
            return
        status = tasks.status(task, self.nodes.get(watched.node), watched.worker)
        if not status.alive:
            self._tell(key, status)
        elif task.waiting and not watched.leaving:
            watched.waiting_since = watched.waiting_since or now
            if now - watched.waiting_since > _PLACE_S:
                self._tell(key, tasks.no_place(task, watched.worker))
        else:
            watched.waiting_since = None

    async def _absent(self, key: Key, watched: Watched, now: float) -> None:
        if watched.leaving:
            self._tell(key, InstanceStatus(False, message="the container has been ended"))
            return
        watched.absent_since = watched.absent_since or now
        absent_s = now - watched.absent_since
        if absent_s > _APPEAR_S:
            self._tell(key, InstanceStatus(False, message="Swarm has made no task for it"))
        elif absent_s > _ABSENT_S and not await self.manager.has_service(watched.name):
            self._tell(key, InstanceStatus(False, message="its service was removed by somebody else"))

    def holds(self, task: Task | None) -> bool:
        """Whether something of it may still be on a node that can be asked."""
        if task is None or (task.ended and task.leaving and not task.node):
            return False
        node = self.nodes.get(task.node)
        return node is not None and not node.down

    def _tell(self, key: Key, status: InstanceStatus) -> None:
        watched = self._watched.pop(key, None)
        if watched is None:
            return
        if watched.begun is not None and not watched.begun.done():
            watched.begun.set_result(status)
        else:
            self._on_end(key, status)


def _now() -> float:
    return asyncio.get_running_loop().time()
