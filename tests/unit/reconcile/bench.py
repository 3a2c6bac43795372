"""A relay on a fake executor in virtual time, for the tests of the loop."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from cumulus_server.executors.base import Device, Worker
from cumulus_server.store import attempts, events
from tests.fakes.executor import FakeExecutor, FakeWorld
from tests.fakes.inline_store import InlineStore
from tests.fakes.relay import FakeRelay, SimulatedRunner
from tests.fakes.virtual_time import run_virtual

WORKER = Worker(
    "w", "fake", slots=4, memory_mib=1000, pythons=("3.11",), devices=(Device("gpu0", simulated=True),)
)


class Bench:
    """A relay on a fake executor, and the world around it."""

    def __init__(self, **executor: Any) -> None:
        self.store = InlineStore()
        self.runner = SimulatedRunner()
        self.world = FakeWorld([WORKER], behaviour=self.runner)
        self._executor = executor

    async def relay(self, **more: Any) -> FakeRelay:
        """Build and start a relay; the runners find it."""
        relay = FakeRelay(self.store, [FakeExecutor(self.world, **(self._executor | more))])
        await relay.start()
        self.runner.relay = relay
        return relay

    async def states(self, job_id: str) -> list[str]:
        """The states the job went through, by its events."""
        return [event["state"] for event in await self.events(job_id)]

    async def events(self, job_id: str) -> list[dict[str, Any]]:
        """Its state events."""
        relay = self.runner.relay
        assert relay is not None
        number = (await relay.row(job_id)).number
        found = await self.store.run(lambda tx: events.of_type_after(tx, number, 0, "state", 1000))
        return [json.loads(event.body) for event in found]

    async def leases(self) -> list[Any]:
        return await self.store.run(attempts.leases)


def virtual(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an async test on a virtual clock."""

    def run() -> None:
        run_virtual(test())  # type: ignore[arg-type]

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run
