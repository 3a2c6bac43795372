"""One job's way through the loop: begun, placed, waiting, refused."""

from __future__ import annotations

import asyncio

import pytest

from cumulus_jupyter.protocol.errors import ResourceExhausted, Unavailable
from cumulus_server.executors.base import Device, Worker

from .bench import WORKER, Bench, virtual


@virtual
async def test_a_job_goes_all_the_way_and_leaves_nothing() -> None:
    bench = Bench()
    relay = await bench.relay()
    job_id = await relay.submit(gpu=0.5)
    job = await relay.until(job_id, "RUNNING")
    assert job.handle and job.worker == "w" and job.devices[0].used_tenths == 5
    assert len(await bench.leases()) == 1
    job = await relay.released(job_id)
    assert job.status == "COMPLETED" and job.handle is None and job.partition is None
    assert await bench.states(job_id) == [
        "QUEUED",
        "SCHEDULING",
        "CREATING_PARTITION",
        "RUNNING",
        "COMPLETED",
    ]
    assert not bench.world.instances and not await bench.leases()
    assert relay.scheduler.capacity.rooms["w"].free == [10]
    assert not relay.scheduler.capacity.rooms["w"].holds


@virtual
async def test_the_states_show_the_place_and_what_holds_the_share() -> None:
    bench = Bench()
    relay = await bench.relay()
    job_id = await relay.submit(gpu=0.5)
    await relay.released(job_id)
    placed = (await bench.events(job_id))[2]
    assert placed["worker"] == "w" and placed["enforced_by"] == "none" and placed["attempt"] == 1
    assert placed["devices"][0]["id"] == "gpu0" and placed["devices"][0]["simulated"] is True


@virtual
async def test_jobs_beyond_the_slots_wait_and_are_told_why_once() -> None:
    bench = Bench()
    bench.runner.default_s = 10
    relay = await bench.relay()
    for _ in range(4):
        await relay.submit()
    first, second = await relay.submit(), await relay.submit()
    await asyncio.sleep(9)
    told = [(event["position"], event["message"]) for event in await bench.events(second)]
    assert told == [(None, ""), (2, "all 4 places for jobs are taken")]
    assert (await relay.row(second)).message == told[-1][1]
    await relay.released(first)
    assert (await relay.released(second)).status == "COMPLETED"
    assert [event["position"] for event in await bench.events(first)][:3] == [None, 1, None]


@virtual
async def test_a_job_that_waits_a_moment_only_is_told_nothing() -> None:
    bench = Bench()
    bench.runner.default_s = 0.2
    relay = await bench.relay()
    ids = [await relay.submit() for _ in range(8)]
    for job_id in ids:
        await relay.released(job_id)
        assert await bench.states(job_id) == ["QUEUED", "SCHEDULING", "RUNNING", "COMPLETED"]


@virtual
async def test_a_job_that_will_not_wait_is_refused_or_fails_at_once() -> None:
    bench = Bench()
    relay = await bench.relay()
    await relay.submit(gpu=1)
    await asyncio.sleep(0.5)
    with pytest.raises(ResourceExhausted, match="No worker has room for 0.5 GPU now"):
        await relay.submit(gpu=0.5, wait=False)
    # Two that were both told that there is room.
    one, two = await asyncio.gather(relay.submit(wait=False), relay.submit(wait=False))
    bench.world.workers[0] = Worker("w", "fake", slots=2, devices=WORKER.devices)
    ends = [await relay.released(job_id) for job_id in (one, two)]
    assert {job.status for job in ends} <= {"COMPLETED", "FAILED"}


@virtual
async def test_a_job_that_lost_the_race_for_the_last_place_does_not_wait() -> None:
    bench = Bench()
    relay = await bench.relay()
    one, two = await relay.submit(gpu=1, wait=False), await relay.submit(gpu=1, wait=False)
    ends = [await relay.released(one), await relay.released(two)]
    assert [job.status for job in ends] == ["COMPLETED", "FAILED"]
    assert ends[1].error is not None and ends[1].error["code"] == "RESOURCE_EXHAUSTED"


@virtual
async def test_no_gpu_worker_is_told_before_anything_is_queued() -> None:
    bench = Bench()
    bench.world.workers[:] = [Worker("w", "fake", slots=1)]
    relay = await bench.relay()
    with pytest.raises(Unavailable, match="No GPU workers available"):
        await relay.submit(gpu=0.5)


@virtual
async def test_two_loops_on_one_store_start_a_job_once() -> None:
    bench = Bench()
    one = await bench.relay()
    two = await bench.relay()
    ids = []
    for _ in range(20):
        job_id = await one.submit()
        two.reconciler.wake(job_id)
        ids.append(job_id)
    for job_id in ids:
        job = await one.released(job_id)
        assert job.status == "COMPLETED" and job.attempt == 1
    assert sorted(bench.runner.begun) == sorted((job_id, 1) for job_id in ids)


@virtual
async def test_devices_declared_later_are_used_by_those_that_wait() -> None:
    bench = Bench()
    relay = await bench.relay()
    one, two = await relay.submit(gpu=1), await relay.submit(gpu=1)
    bench.runner.run_s[one] = 100
    await relay.until(one, "RUNNING")
    bench.world.workers[0] = Worker("w", "fake", slots=4, devices=(Device("gpu0"), Device("gpu1")))
    executor = relay.reconciler.executors["fake"]
    executor.on_change()  # type: ignore[attr-defined]
    job = await relay.until(two, "RUNNING", timeout_s=1)
    assert job.devices[0].id == "gpu1"
