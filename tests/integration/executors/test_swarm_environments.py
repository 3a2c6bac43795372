"""Requirements of jobs on a Swarm: installed once on each worker, shared by all there, written by none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_server.executors.containers.environments import builder_plan, volume_name
from cumulus_server.executors.swarm import SwarmExecutor
from tests.contract.harness import Ends, until
from tests.contract.swarm_harness import SwarmHarness
from tests.contract.work import STUBBORN
from tests.fakes.package_index import NOWHERE, package_index
from tests.fakes.runner_relay import FakeJob
from tests.patience import LIMIT_S
from tests.rig import Rig

USE = "import sample_of_cumulus\nprint(sample_of_cumulus.__file__)"
SHARED = "/run/cumulus/environments/"
WORKER = "worker1"
#: An index that is given nothing back by the network: installers wait for it for long.
SILENT = "http://192.0.2.1/"


class Relay:
    """A relay's executors, one after the other, and what its users are told while they wait."""

    def __init__(self, world: SwarmHarness) -> None:
        self.world, self.ends = world, Ends()
        self.told: list[str] = []
        self._opened: list[SwarmExecutor] = []

    async def open(self, **settings: Any) -> SwarmExecutor:
        self.executor = self.world.make(**settings)
        self._opened.append(self.executor)
        await self.executor.open(self.ends, lambda: None)
        await self.executor.settled.wait()
        return self.executor

    async def run(self, source: str, *requirements: str, worker: str = WORKER) -> FakeJob:
        """Run this code to its end, and put it away."""
        request = self.world.request(source=source, worker=worker, requirements=requirements)
        await self.executor.prepare(request, self.told.append)
        handle = await self.executor.start(request)
        await self.ends.of(request)
        await self.executor.destroy(handle, ended=True)
        return self.world.job(request)

    async def close(self) -> None:
        for executor in self._opened:
            await executor.close()


@pytest.fixture
async def relay(rig: Rig, job_image: str, tmp_path: Path) -> AsyncIterator[Relay]:
    world = SwarmHarness(tmp_path, rig, job_image)
    made = Relay(world)
    yield made
    await asyncio.to_thread(rig.up)  # whatever was done to it
    await made.close()
    await world.nothing_left()
    await asyncio.to_thread(world.close)


@pytest.fixture
def index(rig: Rig, tmp_path: Path) -> Iterator[dict[str, str]]:
    with package_index(tmp_path, rig.runner_host) as settings:
        yield settings


async def test_they_are_installed_once_on_a_worker_and_shared(relay: Relay, index: dict[str, str]) -> None:
    await relay.open(env=index)
    jobs = await asyncio.gather(*(relay.run(USE, "sample_of_cumulus") for _ in range(3)))
    jobs.append(await relay.run(USE, "sample_of_cumulus"))
    assert [job.text("stdout")[: len(SHARED)] for job in jobs] == [SHARED] * 4
    assert not any(job.of_type("progress") for job in jobs)  # no runner had to install anything
    assert relay.told == [f"installing sample_of_cumulus on the worker {WORKER}"] * 3

    denied = await relay.run(f"open({SHARED!r} + 'x', 'w')", "sample_of_cumulus")
    assert "Read-only file system" in str(denied.error)
    plain = await relay.run(f"import os\nprint(os.path.exists({SHARED!r}))")
    assert plain.text("stdout") == "False\n"  # jobs without requirements have no business there
    await relay.world.nothing_left()
    other = relay.world.workers["worker2"].volumes.list(filters={"name": volume_name(relay.world.relay_id)})
    assert not other


async def test_what_is_there_survives_the_relay(relay: Relay, index: dict[str, str]) -> None:
    await relay.open(env=index)
    await relay.run(USE, "sample_of_cumulus")
    await relay.open(env={"PIP_INDEX_URL": NOWHERE})  # it can't be installed any more
    job = await relay.run(USE, "sample_of_cumulus")
    assert job.text("stdout").startswith(SHARED)


async def test_what_cannot_be_installed_is_told_by_the_job(relay: Relay, index: dict[str, str]) -> None:
    await relay.open(env=index)
    for _ in range(2):
        job = await relay.run(USE, "no_such_distribution_of_cumulus")
        assert job.outcome is not None and job.outcome["state"] == "FAILED"
        assert "no_such_distribution_of_cumulus" in str(job.outcome)
    assert len(relay.told) == 1  # it is not tried for every job


async def test_builders_that_an_earlier_relay_has_left_are_removed(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after its sudden end: what it asks for hangs, and its own removal never comes."""
    world, left = relay.world, relay.world.left
    first = await relay.open(env={"PIP_INDEX_URL": SILENT})
    request = world.request(STUBBORN, worker=WORKER, requirements=["sample_of_cumulus"])
    waiting = asyncio.ensure_future(first.prepare(request))
    name = builder_plan(world.image, ["sample_of_cumulus"], first.config).name
    await until(lambda: any(f"service {name}" in each for each in left()))
    monkeypatch.setattr(first._builders, "_remove", _nothing)
    waiting.cancel()
    await first.close()
    assert any(f"service {name}" in each for each in left())

    second = await relay.open()
    assert await second.list_owned() == []  # it is no job's
    await world.nothing_left()


async def test_a_worker_that_is_lost_keeps_no_job_waiting(relay: Relay) -> None:
    world = relay.world
    executor = await relay.open(env={"PIP_INDEX_URL": SILENT})
    request = world.request(STUBBORN, worker=WORKER, requirements=["sample_of_cumulus"])
    waiting = asyncio.ensure_future(executor.prepare(request))
    await until(lambda: bool(world.containers(WORKER)))
    await asyncio.to_thread(world.rig.kill, WORKER)
    await asyncio.wait_for(asyncio.wait([waiting]), LIMIT_S)
    assert waiting.exception() is None or "is down" in str(waiting.exception())
    assert await executor.list_owned() == []


async def _nothing(name: str) -> None:
    pass
