"""What a start elsewhere says while it lasts and when nothing comes of it, and workers that go down."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cumulus_jupyter.protocol.errors import Unavailable
from tests.fakes.distant_executor import DistantExecutor
from tests.fakes.executor import FakeExecutor, FakeInstance
from tests.fakes.relay import FakeRelay

from .bench import WORKER, virtual
from .far_bench import FAR, FarBench, now


@virtual
async def test_words_of_a_start_are_told_at_most_once_a_second() -> None:
    bench = FarBench()
    relay = await bench.relay()
    bench.far.tells = [(0.1, f"pulling the image, {percent}%") for percent in range(100)]
    job_id = await relay.submit(executor="far")
    await relay.released(job_id)
    events = [event for event in await bench.events(job_id) if event["message"].startswith("pulling")]
    assert 9 <= len(events) <= 12
    assert events[0]["message"] == "pulling the image, 0%"
    assert {(event["state"], event["worker"]) for event in events} == {("SCHEDULING", "far")}
    assert (await bench.events(job_id))[-1]["message"] == ""


@virtual
async def test_a_cancel_while_an_image_is_pulled_ends_it_at_once() -> None:
    bench = FarBench()
    relay = await bench.relay()
    bench.far.tells = [(3000, "pulling the image")]
    job_id = await relay.submit(executor="far")
    await relay.until(job_id, "SCHEDULING")
    await asyncio.sleep(2)
    began = now()
    await relay.cancel(job_id)
    assert (await relay.released(job_id)).status == "CANCELLED"
    assert now() - began < 1


@virtual
async def test_a_runner_that_never_reported_is_explained() -> None:
    async def silent(instance: FakeInstance) -> int:
        await asyncio.Event().wait()
        return 0

    bench = FarBench()
    bench.far_world.behaviour = silent
    relay = await bench.relay(claim_timeout_s=20)
    bench.far.words = "cumulus: cannot reach the relay at http://172.17.0.1:1/"
    job_id = await relay.submit(executor="far")
    ended = await relay.released(job_id)
    assert (ended.status, ended.attempt) == ("FAILED", 3)
    assert (
        "it did not report in time: cumulus: cannot reach the relay at http://172.17.0.1:1/" in ended.message
    )


@virtual
async def test_a_runner_that_reports_while_its_silence_is_looked_into_goes_on() -> None:
    bench = FarBench()
    bench.runner.claim_delay_s, bench.runner.default_s = 21, 50
    relay = await bench.relay(claim_timeout_s=20)

    async def explain(handle: object) -> str:
        await asyncio.sleep(5)
        return "it takes its time"

    bench.far.explain = explain  # type: ignore[method-assign]
    job_id = await relay.submit(executor="far")
    ended = await relay.released(job_id)
    assert (ended.status, ended.attempt) == ("COMPLETED", 1)


@virtual
async def test_what_can_never_run_a_job_is_tried_once() -> None:
    async def unfit(instance: FakeInstance) -> int:
        return 78

    bench = FarBench()
    bench.far_world.behaviour = unfit
    relay = await bench.relay()
    job_id = await relay.submit(executor="far", image="old")
    ended = await relay.released(job_id)
    assert (ended.status, ended.attempt) == ("FAILED", 1)


@virtual
async def test_a_job_whose_worker_goes_down_is_run_again_elsewhere() -> None:
    bench = FarBench(replace(FAR, id="w1"), replace(FAR, id="w2"))
    bench.runner.default_s = 50
    relay = await bench.relay()
    jobs = [await relay.submit(executor="far", retries=1) for _ in range(4)]
    once = await relay.submit(executor="far")
    for job_id in (*jobs, once):
        await relay.until(job_id, "RUNNING")
    workers = {job_id: (await relay.row(job_id)).worker for job_id in (*jobs, once)}
    assert set(workers.values()) == {"w1", "w2"}
    down = workers[once]
    bench.far.down(down)
    failed = await relay.released(once)
    assert failed.status == "FAILED" and f"the worker {down} is down" in failed.message
    for job_id in jobs:
        ended = await relay.released(job_id)
        assert ended.status == "COMPLETED" and ended.worker != down
        assert ended.attempt == (2 if workers[job_id] == down else 1)
    views = {view.id: view for view in relay.inventory.workers()}
    assert (views[down].state, views[down].message) == ("down", "heartbeat failure")


@virtual
async def test_a_worker_that_is_gone_for_good_is_kept_while_a_job_holds_something_there() -> None:
    bench = FarBench()
    bench.runner.default_s = 50
    relay = await bench.relay()
    job_id = await relay.submit(executor="far")
    await relay.until(job_id, "RUNNING")
    bench.far_world.workers = []
    await relay.reconciler.sweep()
    [view] = [view for view in relay.inventory.workers() if view.id == "far"]
    assert (view.state, view.jobs) == ("down", [job_id])
    await relay.released(job_id)
    await relay.reconciler.sweep()
    assert [view.id for view in relay.inventory.workers()] == [WORKER.id]


@virtual
async def test_runners_that_cannot_reach_the_relay_get_no_jobs() -> None:
    bench = FarBench()
    told = "192.0.2.1 is no address of this machine"

    async def reachable(executor: object) -> str:
        return told

    far = DistantExecutor(bench.far_world, name="far")
    relay = FakeRelay(bench.store, [FakeExecutor(bench.world), far], reachable=reachable)
    await relay.start()
    await asyncio.sleep(1)
    with pytest.raises(Unavailable, match=told):
        await relay.submit(executor="far")
    [view] = [view for view in relay.inventory.workers() if view.id == "far"]
    assert (view.state, view.message) == ("down", told)
    told = ""
    await relay.reconciler.sweep()
    bench.runner.relay = relay
    assert (await relay.released(await relay.submit(executor="far"))).status == "COMPLETED"
