"""Which of the workers that were added can have shares of their GPUs booked now, and why not, in words.

Each is looked at when the relay starts, when its connection is lost, when something failed there, and
every so often. A look is more than a ping: it compares what the worker holds with what it should, so
that nothing is booked on a worker before what an earlier relay has left there is put in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cumulus_jupyter.protocol.errors import CumulusError

from ..partitions.base import PartitionAway
from ..scheduling.labels import CHRONOS
from ..scheduling.model import Worker
from ..supervisor import Supervisor
from .ssh import Host

__all__ = ["Added", "Health", "has_chronos"]

log = logging.getLogger(__name__)

#: Between two looks at a worker that answers, in seconds.
_EVERY_S = 45.0
#: Between two tries to reach one that does not: the first, and the longest.
_AGAIN_FIRST_S, _AGAIN_LAST_S = 1.0, 15.0
_LOOKING = "what is booked there is being looked at"
_NOT_ADDED = "it was not added to this relay; run the line that %cumulus add-worker prints there"


@dataclass(frozen=True)
class Added:
    """A worker that was added."""

    node: str
    #: Its id as a worker when it was added; it may have another one now.
    name: str
    host: Host


class Reached(Protocol):
    """Whatever reaches the nodes."""

    #: Called with a node whose connection was lost.
    on_lost: Callable[[str], None]

    def know(self, hosts: Mapping[str, Host]) -> None:
        """These are the nodes."""

    def close(self) -> None:
        """Let go of all."""


#: Looks at a node and puts it in order. Raises ``PartitionAway``.
Look = Callable[[str], Awaitable[None]]


@dataclass
class _Node:
    added: Added
    #: Why nothing can be booked there; empty where it can.
    why: str = _LOOKING
    looking: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


def has_chronos(worker: Worker) -> bool:
    """Whether shares of the worker's devices are booked on it."""
    return (CHRONOS, "true") in worker.labels


class Health:
    """Owned by the composition root; started and stopped by the reconcile loop."""

    def __init__(
        self, load: Callable[[], Awaitable[Iterable[Added]]], reached: Reached, *, every_s: float = _EVERY_S
    ) -> None:
        """``load`` tells all workers that were added."""
        self._load = load
        self._reached = reached
        self._every_s = every_s
        self._nodes: dict[str, _Node] = {}
        self._tasks = Supervisor()
        self._look: Look | None = None
        self._changed: Callable[[str], None] = lambda node: None
        reached.on_lost = self.look_soon

    async def start(self, look: Look, changed: Callable[[str], None]) -> None:
        """Begin to look. ``changed`` is called with a node after a look, and when it is known to be away."""
        self._look, self._changed = look, changed
        await self.refresh()

    async def stop(self) -> None:
        """Look no more, and let go of all connections. Idempotent."""
        self._look = None
        await self._tasks.stop()
        self._reached.close()

    async def refresh(self) -> None:
        """Read anew which workers there are, and look at those that are new or elsewhere."""
        if self._look is None:
            return
        found = {added.node: added for added in await self._load()}
        self._reached.know({node: added.host for node, added in found.items()})
        for node in set(self._nodes) - set(found):
            self._nodes.pop(node).news.set()
            self._changed(node)
        for node, added in found.items():
            known = self._nodes.get(node)
            if known is None:
                self._nodes[node] = _Node(added)
                self._begin(node)
            elif known.added != added:
                known.added = added
                known.news.set()

    def why_not(self, worker: Worker) -> str:
        """Why the worker's devices take nothing new now; empty where they do."""
        if not has_chronos(worker):
            return ""
        node = self._nodes.get(worker.node)
        return _NOT_ADDED if node is None else node.why

    def is_away(self, node: str) -> bool:
        """Whether nothing can be booked on this node now."""
        known = self._nodes.get(node)
        return known is None or bool(known.why)

    def is_looked_at(self, node: str) -> bool:
        """Whether it is being found out just now whether something can be booked there."""
        known = self._nodes.get(node)
        return known is not None and known.looking

    def node_named(self, name: str) -> str:
        """The node of the worker that had this id when it was added; empty where there is none."""
        nodes = (node for node, known in self._nodes.items() if known.added.name == name)
        return next(nodes, "")

    def away(self, node: str, why: str) -> None:
        """Somebody has found that nothing can be booked there, and why."""
        known = self._nodes.get(node)
        if known is not None:
            self.look_soon(node)  # before it counts as away, so that the tries to reach it begin now
            self._set(node, known, why)

    def look_soon(self, node: str) -> None:
        """Look at this node again; one that is away is looked at in its turn."""
        known = self._nodes.get(node)
        if known is not None and (known.looking or not known.why):
            known.news.set()

    def _begin(self, node: str) -> None:
        name = f"worker {node}"
        if name not in self._tasks.names:
            self._tasks.start(name, lambda: self._keep(node), restart=True)

    async def _keep(self, node: str) -> None:
        again_s = _AGAIN_FIRST_S
        while (known := self._nodes.get(node)) is not None:
            known.news.clear()
            why = await self._look_at(node, known)
            self._set(node, known, why)
            wait_s = again_s if why else self._every_s
            again_s = min(2 * again_s, _AGAIN_LAST_S) if why else _AGAIN_FIRST_S
            try:
                async with asyncio.timeout(wait_s):
                    await known.news.wait()
            except TimeoutError:
                continue

    async def _look_at(self, node: str, known: _Node) -> str:
        """Why nothing can be booked there; empty where it can."""
        assert self._look is not None
        known.looking = True
        try:
            await self._look(node)
            return ""
        except PartitionAway as error:
            return error.message
        except CumulusError as error:
            return f"what is booked there cannot be told: {error.message}"
        except Exception as error:
            log.exception("the worker %s could not be looked at; it is tried again", known.added.name)
            return f"{type(error).__name__}: {error}"
        finally:
            known.looking = False

    def _set(self, node: str, known: _Node, why: str) -> None:
        if self._nodes.get(node) is not known:
            return
        before, known.why = known.why, why
        if why and before != why and before in ("", _LOOKING):
            log.warning("nothing can be booked on the worker %s: %s", known.added.name, why)
        elif not why and before and before != _LOOKING:
            log.warning("shares can be booked on the worker %s again", known.added.name)
        if why != before or not why:
            self._changed(node)
