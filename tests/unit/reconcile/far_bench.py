"""A relay with an executor whose outside comes and goes, for the tests of the loop."""

from __future__ import annotations

import asyncio
from typing import Any

from cumulus_server.executors.base import Worker
from tests.fakes.distant_executor import DistantExecutor
from tests.fakes.executor import FakeExecutor, FakeWorld
from tests.fakes.relay import FakeRelay

from .bench import Bench

FAR = Worker("far", "far", slots=4, cpu=4.0, memory_mib=1000, capabilities=frozenset({"images", "far"}))


class FarBench(Bench):
    """A relay with local processes, and an executor whose outside comes and goes."""

    def __init__(self, *workers: Worker) -> None:
        super().__init__()
        self.far_world = FakeWorld(list(workers or (FAR,)), behaviour=self.runner)
        self.far: DistantExecutor = None  # type: ignore[assignment]

    async def relay(self, *, order: tuple[str, ...] = ("fake", "far"), **far: Any) -> FakeRelay:
        near = FakeExecutor(self.world)
        self.far = DistantExecutor(self.far_world, name="far", **far)
        both = sorted([near, self.far], key=lambda executor: order.index(executor.name))
        relay = FakeRelay(self.store, both, order=order)
        await relay.start()
        self.runner.relay = relay
        return relay

    async def messages(self, job_id: str) -> list[str]:
        return [event["message"] for event in await self.events(job_id)]


def now() -> float:
    return asyncio.get_running_loop().time()
