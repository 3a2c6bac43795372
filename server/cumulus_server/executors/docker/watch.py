"""Keeps the connection to an engine: its events, and a listing after each time there was none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..base import ExecutorUnavailable
from ..containers.engine import Engine
from ..containers.plan import RELAY

log = logging.getLogger(__name__)

#: Seconds without an event after which the engine is asked whether it is still there.
TICK_S = 10.0
_BACKOFF_FIRST_S, _BACKOFF_LAST_S = 0.1, 3.0


class Observer(Protocol):
    """Who is told. Errors of the engine are the watch's business."""

    async def connected(self, containers: Sequence[Mapping[str, Any]]) -> None:
        """There is a connection, and these are all containers of this relay."""

    async def event(self, event: Mapping[str, Any]) -> None:
        """Something happened to one of them."""

    async def tick(self) -> None:
        """Some time has passed, and the engine still answers."""

    def away(self, error: ExecutorUnavailable) -> None:
        """There is no connection, for this reason."""


async def watch(engine: Engine, relay_id: str, observer: Observer) -> None:
    """Never ends by itself."""
    wait_s = _BACKOFF_FIRST_S
    while True:
        try:
            label = f"{RELAY}={relay_id}"
            filters = {"type": ["container"], "event": ["die"], "label": [label]}
            async with engine.follow(filters) as events:
                await observer.connected(await listing(engine, relay_id))
                wait_s = _BACKOFF_FIRST_S
                while True:
                    try:
                        async with asyncio.timeout(TICK_S):
                            event = await anext(events)
                    except TimeoutError:
                        await engine.ping()
                        await observer.tick()
                        continue
                    except StopAsyncIteration:
                        break
                    await observer.event(event)
        except ExecutorUnavailable as error:
            observer.away(error)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _BACKOFF_LAST_S)


async def listing(engine: Engine, relay_id: str) -> list[dict[str, Any]]:
    """All containers of this relay, whatever their state."""
    wanted = {"label": [f"{RELAY}={relay_id}"]}
    found: list[dict[str, Any]] = await engine.call(
        lambda client: client.api.containers(all=True, filters=wanted)
    )
    return found
