"""Executors whose outside is away, late, or says what it waits for; workers that go down."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument, Unavailable
from cumulus_server.executors.base import Worker
from tests.fakes.distant_executor import WHY, DistantExecutor
from tests.fakes.executor import FakeExecutor, FakeInstance, FakeWorld
from tests.fakes.relay import FakeRelay

from .bench import WORKER, Bench, virtual

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


@virtual
async def test_nothing_waits_for_the_first_look() -> None:
    bench = FarBench()
    began = now()
    relay = await bench.relay(look_s=8)
    assert now() == began
    job_id = await relay.submit()
    assert (await relay.until(job_id, "RUNNING")).executor == "fake"
    assert now() - began < 1


@virtual
async def test_a_job_that_only_it_can_hold_waits_for_the_first_look() -> None:
    bench = FarBench()
    relay = await bench.relay(look_s=3)
    began = now()
    job_id = await relay.submit(needs=["far"])
    assert 2.9 < now() - began < 3.5
    assert (await relay.released(job_id)).worker == "far"


@virtual
async def test_a_first_look_that_takes_too_long_is_not_waited_for() -> None:
    bench = FarBench()
    relay = await bench.relay(look_s=60)
    began = now()
    with pytest.raises(Unavailable, match="its workers are being looked for"):
        await relay.submit(needs=["far"])
    assert 9 < now() - began < 11
    with pytest.raises(InvalidArgument, match="Unknown executor: nimbus"):
        await relay.submit(executor="nimbus")


@virtual
async def test_an_executor_in_trouble_is_told_with_its_trouble() -> None:
    bench = FarBench()
    relay = await bench.relay(there=False)
    with pytest.raises(Unavailable, match=WHY):
        await relay.submit(executor="far")
    with pytest.raises(Unavailable, match=WHY):
        await relay.submit(image="mine")
    assert bench.far.asked == 0
    job_id = await relay.submit()
    assert (await relay.released(job_id)).executor == "fake"
    bench.far.come()
    await asyncio.sleep(1)
    job_id = await relay.submit(executor="far")
    assert (await relay.released(job_id)).status == "COMPLETED"


@virtual
async def test_a_job_waits_for_the_preferred_executor_and_does_not_go_to_the_next() -> None:
    bench = FarBench()
    relay = await bench.relay(order=("far", "fake"))
    first = await relay.submit()
    assert (await relay.released(first)).executor == "far"
    bench.far.leave()
    await asyncio.sleep(1)
    second = await relay.submit()
    await asyncio.sleep(20)
    assert (await relay.row(second)).status == "QUEUED"
    assert any(WHY in message for message in await bench.messages(second))
    bench.far.come()
    assert (await relay.released(second)).executor == "far"


@virtual
async def test_a_preferred_executor_that_was_never_there_is_told() -> None:
    bench = FarBench()
    relay = await bench.relay(order=("far", "fake"), there=False)
    with pytest.raises(Unavailable, match=WHY):
        await relay.submit()
    assert (await relay.released(await relay.submit(executor="fake"))).status == "COMPLETED"


@virtual
async def test_an_executor_that_nobody_asked_for_is_passed_over() -> None:
    bench = FarBench()
    far = DistantExecutor(bench.far_world, name="far", there=False)
    relay = FakeRelay(bench.store, [far, FakeExecutor(bench.world)], order=("far", "fake"), optional={"far"})
    await relay.start()
    bench.runner.relay = relay
    assert (await relay.released(await relay.submit())).executor == "fake"
    assert relay.inventory.executors() == ["fake"]
    with pytest.raises(Unavailable, match=WHY):
        await relay.submit(executor="far")


@virtual
async def test_a_relay_that_starts_while_the_engine_is_away_keeps_its_jobs() -> None:
    bench = FarBench()
    bench.runner.default_s = 300
    relay = await bench.relay()
    running = await relay.submit(executor="far")
    await relay.until(running, "RUNNING")
    bench.runner.claim_delay_s = 10_000
    starting = await relay.submit(executor="far", memory_mib=900)
    await relay.until(starting, "SCHEDULING")
    await asyncio.sleep(1)
    await relay.crash()
    began = now()
    relay = await bench.relay(there=False)
    assert now() == began
    await asyncio.sleep(200)
    assert (await relay.row(running)).status == "RUNNING"
    assert (await relay.row(starting)).status == "SCHEDULING"
    assert len(bench.far_world.instances) == 2
    bench.far.come()
    # What they hold is booked again: nothing else fits beside them.
    later = await relay.submit(executor="far", memory_mib=200)
    await asyncio.sleep(5)
    assert (await relay.row(later)).status == "QUEUED"
    await relay.cancel(starting)
    assert (await relay.until(later, "SCHEDULING")).attempt == 1
    ended = await relay.released(running)
    assert (ended.status, ended.attempt) == ("COMPLETED", 1)


@virtual
async def test_a_job_that_ends_while_the_engine_is_away_is_put_away_later() -> None:
    bench = FarBench()
    bench.runner.default_s = 5
    relay = await bench.relay()
    job_id = await relay.submit(executor="far")
    await relay.until(job_id, "RUNNING")
    bench.far.leave(noticed=False)
    assert (await relay.until(job_id, "COMPLETED")).ended
    await asyncio.sleep(600)
    assert not (await relay.row(job_id)).released
    came = now()
    bench.far.come()
    await relay.released(job_id)
    assert now() - came < 31 and not bench.far_world.instances


@virtual
async def test_when_it_is_back_nothing_waits_for_the_next_try() -> None:
    bench = FarBench()
    bench.runner.default_s = 5
    relay = await bench.relay()
    job_id = await relay.submit(executor="far")
    await relay.until(job_id, "RUNNING")
    bench.far.leave()
    await relay.until(job_id, "COMPLETED")
    await asyncio.sleep(600)
    came = now()
    bench.far.come()
    await relay.released(job_id)
    assert now() - came < 1


@virtual
async def test_a_start_is_tried_again_until_the_engine_is_back() -> None:
    bench = FarBench()
    relay = await bench.relay()
    await asyncio.sleep(1)
    bench.far.leave(noticed=False)
    job_id = await relay.submit(executor="far")
    await asyncio.sleep(100)
    assert (await relay.row(job_id)).status == "SCHEDULING"
    assert "There is no engine; trying again" in await bench.messages(job_id)
    bench.far.come()
    ended = await relay.released(job_id)
    assert (ended.status, ended.attempt) == ("COMPLETED", 1)


@virtual
async def test_a_cancel_while_the_engine_is_away_is_told_at_once() -> None:
    bench = FarBench()
    relay = await bench.relay()
    await asyncio.sleep(1)
    bench.far.leave(noticed=False)
    job_id = await relay.submit(executor="far")
    await relay.until(job_id, "SCHEDULING")
    began = now()
    await relay.cancel(job_id)
    await relay.until(job_id, "CANCELLED")
    assert now() - began < 1


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


@virtual
async def test_an_engine_that_leaves_while_it_is_taken_up_is_taken_up_later() -> None:
    bench = FarBench()
    bench.runner.default_s = 100
    relay = await bench.relay()
    job_id = await relay.submit(executor="far")
    await relay.until(job_id, "RUNNING")
    await relay.crash()
    relay = FakeRelay(
        bench.store, [FakeExecutor(bench.world), far := DistantExecutor(bench.far_world, name="far")]
    )
    recover, tries = far.recover, 0

    async def leaving(handle: dict[str, Any]) -> Any:
        nonlocal tries
        tries += 1
        far.there = tries > 1
        return await recover(handle)

    far.recover = leaving  # type: ignore[method-assign]
    await relay.start()
    bench.runner.relay = relay
    await asyncio.sleep(1)
    far.there = True
    assert (await relay.released(job_id)).attempt == 1
    assert (await relay.released(await relay.submit(executor="far"))).status == "COMPLETED"
