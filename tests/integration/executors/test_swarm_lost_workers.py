"""A Swarm's workers that are cut off, frozen or killed under a job, and the manager that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulus_server.executors.base import ExecutorUnavailable, Worker
from tests.contract.harness import Ends, until
from tests.contract.swarm_harness import SwarmHarness
from tests.contract.work import PATIENT, SHORT, STUBBORN
from tests.patience import LIMIT_S
from tests.rig import Rig

WORKER = "worker2"


@pytest.fixture
async def swarm(rig: Rig, job_image: str, tmp_path: Path) -> AsyncIterator[SwarmHarness]:
    made = SwarmHarness(tmp_path, rig, job_image)
    yield made
    await asyncio.to_thread(rig.up)  # whatever was done to it
    await asyncio.to_thread(made.close)


@pytest.mark.parametrize(("lose", "bring_back"), [("cut", "mend"), ("pause", "unpause"), ("kill", "start")])
async def test_a_lost_worker_is_told_and_cleaned_when_it_is_back(
    swarm: SwarmHarness, lose: str, bring_back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, ends = swarm.make(), Ends()
    changed = asyncio.Event()
    await executor.open(ends, changed.set)
    await executor.settled.wait()
    request, other = (swarm.request(STUBBORN, worker=worker) for worker in (WORKER, "worker1"))
    handle, other_handle = await executor.start(request), await executor.start(other)
    await asyncio.gather(swarm.running(request), swarm.running(other))

    await asyncio.to_thread(getattr(swarm.rig, lose), WORKER)
    ended = await ends.of(request)
    assert ended.status.message == f"the worker {WORKER} is down"
    workers = {worker.id: worker for worker in await executor.fingerprint()}
    assert not workers[WORKER].ready and workers[WORKER].message and workers["worker1"].ready
    # Nobody waits for what is down.
    monkeypatch.setattr("cumulus_server.executors.swarm.executor._END_S", 10 * LIMIT_S)
    async with asyncio.timeout(LIMIT_S):
        await executor.destroy(handle)
    assert [owned.job_id for owned in await executor.list_owned()] == [other.job_id]
    assert (await executor.inspect(other_handle)).alive and len(ends.told) == 1

    await asyncio.to_thread(getattr(swarm.rig, bring_back), WORKER)
    async with asyncio.timeout(LIMIT_S):
        while not (await _worker(executor.fingerprint)).ready:
            changed.clear()
            await changed.wait()
    await executor.destroy(other_handle)
    await swarm.nothing_left()
    again = swarm.request(SHORT, worker=WORKER)
    await executor.start(again)
    assert (await ends.of(again)).status.exit_code == 0
    await executor.destroy(executor.handle_for(again), ended=True)
    await executor.close()


async def _worker(fingerprint: object) -> Worker:
    assert callable(fingerprint)
    (found,) = [worker for worker in await fingerprint() if worker.id == WORKER]
    return found


async def test_a_drained_worker_takes_nothing_new(swarm: SwarmHarness) -> None:
    executor = swarm.make()
    await executor.open(Ends(), lambda: None)
    await executor.settled.wait()
    try:
        for availability, word in (("drain", "drained"), ("pause", "paused")):
            await asyncio.to_thread(swarm.change, WORKER, Availability=availability)
            async with asyncio.timeout(LIMIT_S):
                while word not in (await _worker(executor.fingerprint)).message:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(swarm.change, WORKER, Availability="active")
    await executor.close()


async def test_the_end_of_what_runs_on_a_drained_worker_is_told(swarm: SwarmHarness) -> None:
    executor, ends = swarm.make(), Ends()
    await executor.open(ends, lambda: None)
    await executor.settled.wait()
    request = swarm.request(PATIENT, worker=WORKER)
    handle = await executor.start(request)
    await swarm.running(request)
    await asyncio.to_thread(swarm.change, WORKER, Availability="drain")
    try:
        ended = await ends.of(request)
        assert not ended.status.alive and ended.status.message
        await executor.destroy(handle)
    finally:
        await asyncio.to_thread(swarm.change, WORKER, Availability="active")
    await executor.close()
    await swarm.nothing_left()


async def test_a_manager_that_is_away_ends_nothing(swarm: SwarmHarness) -> None:
    executor, ends = swarm.make(), Ends()
    await executor.open(ends, lambda: None)
    await executor.settled.wait()
    request = swarm.request(STUBBORN, worker=WORKER)
    handle = await executor.start(request)
    await swarm.running(request)
    await asyncio.to_thread(swarm.rig.kill, "manager")
    with pytest.raises(ExecutorUnavailable):
        await executor.list_owned()
    with pytest.raises(ExecutorUnavailable):
        await executor.destroy(executor.handle_for(swarm.request()))
    await until(lambda: bool(executor.trouble))
    assert all(not worker.ready and worker.message for worker in await executor.fingerprint())
    assert (await executor.inspect(handle)).alive
    await asyncio.to_thread(swarm.rig.start, "manager")
    await until(lambda: not executor.trouble)
    assert not ends.told
    assert [owned.job_id for owned in await executor.list_owned()] == [request.job_id]
    await executor.destroy(handle)
    await executor.close()
    await swarm.nothing_left()
