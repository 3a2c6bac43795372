"""How jobs end that do not end by themselves: cancelled, late, lost, never started."""

from __future__ import annotations

import asyncio
import json
import secrets

from cumulus_jupyter.protocol.channel import Claim, Outcome
from cumulus_server.executors.base import StartFailed, StartRequest
from cumulus_server.relay.batches import Batch
from cumulus_server.store import events
from tests.fakes.executor import FakeInstance, Faults

from .bench import Bench, virtual


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
async def test_a_runner_that_somebody_else_stops_is_lost_and_its_job_is_not_cancelled() -> None:
    """As a Swarm does on a worker that is drained, and an engine on a machine that is halted."""
    bench = Bench()
    bench.runner.default_s = 100
    relay = await bench.relay()
    once, again = await relay.submit(), await relay.submit(retries=1)
    for job_id in (once, again):
        await relay.until(job_id, "RUNNING")
        await asyncio.sleep(1)
        bench.world.stop((job_id, 1))
    job = await relay.released(once)
    assert job.status == "FAILED" and job.error is not None and job.error["code"] == "UNAVAILABLE"
    assert "stopped, and not by the relay" in job.message and "--retries" in job.error["next"]
    job = await relay.released(again)
    assert (job.status, job.attempt) == ("COMPLETED", 2)


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
async def test_the_result_is_the_last_attempts() -> None:
    """The first one told a result, and was lost before it told its end."""

    async def tell(instance: FakeInstance) -> int:
        key, session = instance.key, secrets.token_hex(32)
        await relay.runs.claim(instance.request.claim_token, Claim(*key, session, "3.11"))
        for number, value in enumerate((key[1], 7), start=1):
            result = ("result", json.dumps({"type": "result", "json": value}).encode())
            await relay.runs.post_batch(session, Batch(number, [result], None))
        if key[1] == 2:
            await relay.runs.post_batch(session, Batch(3, [], Outcome("COMPLETED")))
        return 1

    bench = Bench()
    bench.world.behaviour = tell
    relay = await bench.relay()
    job = await relay.released(await relay.submit(retries=1))
    assert (job.status, job.attempt) == ("COMPLETED", 2)
    found = await bench.store.run(lambda tx: events.of_type_after(tx, job.number, 0, "result", 10))
    assert [json.loads(event.body)["json"] for event in found] == [1, 2]


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
