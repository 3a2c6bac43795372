"""An executor with the real engine of this machine, as a relay has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_server.executors.base import Ended, StartRequest
from cumulus_server.executors.containers.plan import container_name
from cumulus_server.executors.docker import DockerExecutor
from tests.contract.docker_harness import DockerHarness
from tests.contract.harness import Ends
from tests.fakes.runner_relay import FakeJob


class Containers:
    """The world of containers with an executor that is open."""

    def __init__(self, folder: Path) -> None:
        self.world = DockerHarness(folder)
        self.ends = Ends()
        self.executor: DockerExecutor = self.world.make()
        #: What users are told while they wait.
        self.told: list[str] = []
        self._opened: list[DockerExecutor] = []

    async def open(self, **settings: Any) -> DockerExecutor:
        """Another executor of the same relay, with other settings; ``executor`` from now on."""
        self.executor = self.world.make(**settings)
        self._opened.append(self.executor)
        await self.executor.open(self.ends, lambda: None)
        await self.executor.settled.wait()
        return self.executor

    async def start(self, source: str, **asked: Any) -> StartRequest:
        """Prepare and start a job with this code."""
        request = self.world.request(source=source, **asked)
        await self.executor.prepare(request, self.told.append)
        await self.executor.start(request)
        return request

    async def run(self, source: str, **asked: Any) -> FakeJob:
        """Run this code to its end, and put it away."""
        request = await self.start(source, **asked)
        job = self.world.job(request)
        await asyncio.to_thread(job.wait_for_end)
        await self.executor.destroy(self.executor.handle_for(request), ended=True)
        return job

    async def end_of(self, request: StartRequest) -> Ended:
        """What is told of its end; it is put away then."""
        ended = await self.ends.of(request)
        await self.executor.destroy(self.executor.handle_for(request))
        return ended

    def inspect(self, request: StartRequest) -> dict[str, Any]:
        """What the engine shows of the job's container."""
        found: dict[str, Any] = self.world.client.api.inspect_container(self.name(request))
        return found

    def shell(self, request: StartRequest, script: str) -> str:
        """What a script says inside the job's container."""
        api = self.world.client.api
        made = api.exec_create(self.name(request), ["sh", "-c", script])
        said: bytes = api.exec_start(made["Id"])
        return said.decode("utf-8", "replace")

    def name(self, request: StartRequest) -> str:
        """The container's name."""
        return container_name(request.job_id, request.attempt)

    async def close(self) -> None:
        """Nothing stays."""
        for executor in self._opened:
            await executor.close()
        self.world.close()


@pytest.fixture
async def containers(engine: str, job_image: str, tmp_path: Path) -> AsyncIterator[Containers]:
    made = Containers(tmp_path)
    await made.open()
    yield made
    await made.close()
