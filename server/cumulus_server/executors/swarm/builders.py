"""Builders of dependency environments: services on the nodes that jobs are for, run to their ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

from ...supervisor import Supervisor
from ..base import ExecutorUnavailable, InstanceStatus, Tell
from ..containers.environments import Environments
from ..containers.failures import EngineRefused
from ..containers.plan import ContainerPlan
from ..containers.settings import ContainerConfig
from .manager import Manager
from .nodes import Node
from .tasks import Key, builder_key
from .watch import Watch

log = logging.getLogger(__name__)

#: Seconds a builder may take.
_BUILD_S = 1800.0
#: Of a node's id: what its builders' names have.
_PLACE_CHARACTERS = 12


class Builders:
    """Those under way, and what was built on each node since this relay started."""

    def __init__(
        self,
        manager: Manager,
        watch: Watch,
        config: ContainerConfig,
        supervisor: Supervisor,
        make: Callable[[ContainerPlan, Node], Awaitable[None]],
    ) -> None:
        """``make`` makes secret and service."""
        self._manager, self._watch, self._make = manager, watch, make
        self._config, self._supervisor = config, supervisor
        self._nodes: dict[str, Environments] = {}
        self._running: dict[Key, asyncio.Future[InstanceStatus]] = {}

    async def bring(self, node: Node, image: str, requirements: Sequence[str], tell: Tell) -> None:
        """Have the environment built on this node, if need be and if it can be."""
        if not requirements:
            return
        if node.id not in self._nodes:
            place, build = node.id[:_PLACE_CHARACTERS], partial(self._build, node)
            self._nodes[node.id] = Environments(self._config, self._supervisor, build, place)
        told = partial(_tell_where, tell, node.name)
        await self._nodes[node.id].bring(image, requirements, told)

    def has(self, node: Node, image: str, requirements: Sequence[str]) -> bool:
        """Whether it has been built there since this relay started."""
        return node.id in self._nodes and self._nodes[node.id].has(image, requirements)

    def ended(self, key: Key, status: InstanceStatus) -> bool:
        """What has this key has ended; whether it is a builder."""
        over = self._running.get(key)
        if over is not None and not over.done():
            over.set_result(status)
        return over is not None

    async def reap(self, names: Collection[str]) -> None:
        """Remove those of these that an earlier relay has left, or this one could not remove."""
        for name in names:
            if builder_key(name) not in self._running:
                await self._remove(name)

    async def _build(self, node: Node, wanted: ContainerPlan) -> bool:
        key = builder_key(wanted.name)
        over: asyncio.Future[InstanceStatus] = asyncio.get_running_loop().create_future()
        self._running[key] = over
        try:
            await self._make(wanted, node)
            self._watch.add(key, wanted.name, node.id, node.name)
            async with asyncio.timeout(_BUILD_S):
                status = await over
        except TimeoutError:
            status = InstanceStatus(False, -1, f"it took more than {_BUILD_S:.0f} s")
        finally:
            self._watch.drop(key)
            await self._remove(wanted.name)
            del self._running[key]
        if status.exit_code is None:  # lost with its worker, or never begun
            raise ExecutorUnavailable(status.message)
        if status.exit_code != 0:
            log.info("an environment could not be built on %s: %s", node.name, status.message)
        return status.exit_code == 0

    async def _remove(self, name: str) -> None:
        try:
            await self._manager.remove(name)
        except (ExecutorUnavailable, EngineRefused) as error:
            log.info("the builder %s is removed later: %s", name, error)


def _tell_where(tell: Tell, worker: str, said: str) -> None:
    tell(f"{said} on the worker {worker}")
