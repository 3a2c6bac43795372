"""One job's way through the loop, with everything that can happen to it, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import ResourceExhausted, Unavailable
from cumulus_server.executors.base import Device, StartFailed, StartRequest, Worker
from cumulus_server.store import attempts, events
from tests.fakes.executor import FakeExecutor, FakeWorld, Faults
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
async def test_a_waiting_job_is_cancelled_at_once() -> None:
    bench = Bench()
    relay = await bench.relay()
    await relay.submit(gpu=1)
    waiting = await relay.submit(gpu=1)
    await asyncio.sleep(0.1)
    await relay.cancel(waiting)
    assert (await relay.released(waiting)).status == "CANCELLED"
    assert waiting not in relay.scheduler.line
    assert await bench.states(waiting) == ["QUEUED", "CANCELLED"]
    assert len(bench.runner.begun) == 1


@virtual
async def test_a_starting_job_is_cancelled_and_its_runner_gets_no_claim() -> None:
    bench = Bench()
    bench.runner.claim_delay_s = 5
    relay = await bench.relay()
    job_id = await relay.submit(gpu=0.3)
    await asyncio.sleep(1)
    await relay.cancel(job_id)
    assert (await relay.released(job_id)).status == "CANCELLED"
    await asyncio.sleep(10)
    assert not bench.runner.begun and not bench.world.instances and not await bench.leases()


@virtual
async def test_a_start_that_takes_long_is_cancelled() -> None:
    async def pull(request: StartRequest) -> None:
        await asyncio.sleep(1000)

    bench = Bench(faults=Faults(before_start=pull))
    relay = await bench.relay()
    job_id = await relay.submit()
    await asyncio.sleep(1)
    await relay.cancel(job_id)
    started = asyncio.get_running_loop().time()
    assert (await relay.released(job_id)).status == "CANCELLED"
    assert asyncio.get_running_loop().time() - started < 1


@virtual
async def test_a_running_job_is_asked_to_stop() -> None:
    bench = Bench()
    bench.runner.default_s = 1000
    relay = await bench.relay()
    job_id = await relay.submit()
    await relay.until(job_id, "RUNNING")
    await relay.cancel(job_id)
    started = asyncio.get_running_loop().time()
    assert (await relay.released(job_id)).status == "CANCELLED"
    assert asyncio.get_running_loop().time() - started < 1


@virtual
async def test_a_running_job_that_does_not_listen_is_ended() -> None:
    bench = Bench()
    bench.runner.default_s, bench.runner.heeds_cancel = 1000, False
    relay = await bench.relay()
    job_id = await relay.submit(gpu=1)
    await relay.until(job_id, "RUNNING")
    await relay.cancel(job_id)
    started = asyncio.get_running_loop().time()
    assert (await relay.released(job_id)).status == "CANCELLED"
    assert 5 < asyncio.get_running_loop().time() - started < 15
    assert not bench.world.instances and not bench.runner.running


@virtual
async def test_a_job_that_outlives_its_duration_and_its_runner_fails() -> None:
    bench = Bench()
    bench.runner.default_s, bench.runner.heeds_cancel = 100_000, False
    relay = await bench.relay()
    job_id = await relay.submit(duration_s=60)
    job = await relay.released(job_id)
    assert job.status == "FAILED" and job.error is not None
    assert job.error["code"] == "DEADLINE_EXCEEDED"
    assert job.message == "Job exceeded allocated duration of 60 seconds"
    assert not bench.world.instances


@virtual
async def test_a_lost_runner_fails_the_job_with_its_last_words() -> None:
    bench = Bench()
    bench.runner.default_s, bench.runner.says = 1000, "epoch 7 of 9\n"
    relay = await bench.relay()
    job_id = await relay.submit()
    await relay.until(job_id, "RUNNING")
    await asyncio.sleep(1)
    bench.world.kill((job_id, 1))
    job = await relay.released(job_id)
    assert job.status == "FAILED" and job.error is not None and job.error["code"] == "UNAVAILABLE"
    assert "SIGKILL" in job.message and "epoch 7 of 9" in job.message


@virtual
async def test_a_lost_runner_is_replaced_while_retries_are_left() -> None:
    bench = Bench()
    bench.runner.default_s = 1000
    relay = await bench.relay()
    job_id = await relay.submit(retries=2)
    for attempt in (1, 2, 3):
        while (job_id, attempt) not in bench.runner.running:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        bench.world.kill((job_id, attempt))
    job = await relay.released(job_id)
    assert job.status == "FAILED" and job.attempt == 3 and not bench.runner.overlaps
    assert bench.runner.begun == [(job_id, 1), (job_id, 2), (job_id, 3)]


@virtual
async def test_an_old_attempt_is_fenced_out() -> None:
    """Its runner comes back after it was given up: nothing of it is taken, and it ends."""
    bench = Bench()
    bench.runner.claim_delay_s = 50
    relay = await bench.relay()
    job_id = await relay.submit()
    await asyncio.sleep(35)  # past the claim timeout: attempt 2 is on its way
    bench.runner.claim_delay_s = 0.01
    job = await relay.released(job_id)
    assert job.status == "COMPLETED"
    assert bench.runner.begun == [(job_id, job.attempt)]


@virtual
async def test_a_start_that_fails_is_tried_again_and_does_not_count_as_a_retry() -> None:
    fails = iter([True, True, False])

    async def fail(request: StartRequest) -> None:
        if next(fails):
            raise StartFailed("the engine is not there")

    bench = Bench(faults=Faults(before_start=fail))
    relay = await bench.relay()
    job_id = await relay.submit(gpu=0.5)
    job = await relay.released(job_id)
    assert job.status == "COMPLETED" and job.attempt == 3
    assert "the engine is not there; trying again" in (await bench.events(job_id))[3]["message"]


@virtual
async def test_a_start_that_always_fails_fails_the_job() -> None:
    bench = Bench(start_error=StartFailed("the engine is not there"))
    relay = await bench.relay()
    job = await relay.released(await relay.submit(retries=9))
    assert job.status == "FAILED" and job.attempt == 3
    assert "the engine is not there" in job.message


@virtual
async def test_a_start_that_cannot_succeed_is_not_tried_again() -> None:
    bench = Bench(start_error=StartFailed("no such image", permanent=True))
    relay = await bench.relay()
    job = await relay.released(await relay.submit())
    assert job.status == "FAILED" and job.attempt == 1


@virtual
async def test_a_start_whose_answer_was_lost_does_not_run_twice() -> None:
    async def lose(request: StartRequest) -> None:
        if request.attempt == 1:
            raise TimeoutError("no answer")

    bench = Bench(faults=Faults(after_start=lose))
    relay = await bench.relay()
    job_id = await relay.submit()
    job = await relay.released(job_id)
    assert job.status == "COMPLETED" and not bench.runner.overlaps and len(bench.runner.begun) == 1
    assert not bench.world.instances


@virtual
async def test_what_cannot_be_destroyed_is_tried_again_and_holds_its_place_until_then() -> None:
    fails = iter([True] * 4)

    async def fail(handle: object) -> None:
        if next(fails, False):
            raise OSError("the engine does not answer")

    bench = Bench(faults=Faults(on_destroy=fail))
    relay = await bench.relay()
    one, two = await relay.submit(gpu=1), await relay.submit(gpu=1)
    await relay.until(one, "COMPLETED")
    assert (await relay.row(two)).status == "QUEUED"
    assert (await relay.released(two)).status == "COMPLETED"
    assert not bench.world.instances


@virtual
async def test_an_instance_that_vanishes_without_a_word_is_noticed() -> None:
    bench = Bench()
    bench.runner.default_s = 10_000
    relay = await bench.relay()
    job_id = await relay.submit()
    await relay.until(job_id, "RUNNING")
    bench.world.lose((job_id, 1))
    job = await relay.released(job_id)
    assert job.status == "FAILED" and "not there any more" in job.message


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
