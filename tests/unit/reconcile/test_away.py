"""Executors whose outside is away, or is looked for when the relay has started already."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument, Unavailable
from tests.fakes.distant_executor import WHY, DistantExecutor
from tests.fakes.executor import FakeExecutor
from tests.fakes.relay import FakeRelay

from .bench import virtual
from .far_bench import FarBench, now


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
async def test_a_job_that_waits_for_another_attempt_is_cancelled_at_once() -> None:
    """What its last attempt has left cannot be removed yet."""
    bench = FarBench()
    bench.runner.default_s = 300
    relay = await bench.relay()
    job_id = await relay.submit(executor="far", retries=1)
    await relay.until(job_id, "RUNNING")
    bench.far.leave(noticed=False)
    bench.far_world.kill((job_id, 1))
    await relay.until(job_id, "QUEUED")
    began = now()
    await relay.cancel(job_id)
    await relay.until(job_id, "CANCELLED", timeout_s=100)
    assert now() - began < 1
    bench.far.come()
    await relay.released(job_id)
    assert not bench.far_world.instances


@virtual
async def test_a_job_that_ends_while_others_are_taken_over_keeps_no_room() -> None:
    bench = FarBench()
    bench.runner.default_s = 100
    relay = await bench.relay()
    jobs = [await relay.submit(executor="far") for _ in range(2)]
    bench.runner.run_s[jobs[1]] = 30
    for job_id in jobs:
        await relay.until(job_id, "RUNNING")
    await relay.crash()
    relay = FakeRelay(
        bench.store, [FakeExecutor(bench.world), far := DistantExecutor(bench.far_world, name="far")]
    )
    recover = far.recover

    async def slow(handle: dict[str, Any]) -> Any:
        await asyncio.sleep(60)
        return await recover(handle)

    far.recover = slow  # type: ignore[method-assign]
    await relay.start()
    bench.runner.relay = relay
    for job_id in jobs:
        assert (await relay.released(job_id)).status == "COMPLETED"
    await asyncio.sleep(100)
    assert not relay.scheduler.capacity.rooms["far"].holds


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
