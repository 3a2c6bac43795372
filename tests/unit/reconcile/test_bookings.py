"""Shares booked on nodes: the next worker, waiting for one, releases, and the comparison with the leases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cumulus_server.executors.base import Device, Worker
from cumulus_server.partitions.remote import Unreachable
from tests.fakes.chronos import FakeChronos, FakeNode, Held
from tests.fakes.executor import FakeExecutor, FakeWorld
from tests.fakes.relay import FakeRelay

from .bench import Bench, virtual

SSH = "Failed to create Chronos partition on worker: SSH connection failed"


class Cluster(Bench):
    """Workers with one device each, whose shares are booked on them."""

    def __init__(self, count: int = 2, **executor: Any) -> None:
        super().__init__(**executor)
        names = [f"w{at}" for at in range(count)]
        workers = [
            Worker(
                name, "fake", slots=4, memory_mib=1000, devices=(Device(f"{name}-gpu"),),
                labels=(("chronos.installed", "true"),), node=f"node-{name}",
            )
            for name in names
        ]  # fmt: skip
        self.world = FakeWorld(workers, behaviour=self.runner)
        self.nodes = {name: FakeNode(name) for name in names}
        self.chronos = FakeChronos({f"node-{name}": node for name, node in self.nodes.items()})

    async def relay(self, **more: Any) -> FakeRelay:
        relay = FakeRelay(
            self.store, [FakeExecutor(self.world, **(self._executor | more))], chronos=self.chronos
        )
        await relay.start()
        self.runner.relay = relay
        await asyncio.sleep(0.1)
        return relay

    async def messages(self, job_id: str) -> list[str]:
        return [event["message"] for event in await self.events(job_id)]


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_a_share_is_booked_for_its_job_and_given_back() -> None:
    cluster = Cluster(1)
    relay = await cluster.relay()
    job_id = await relay.submit(gpu=0.5)
    await relay.until(job_id, "RUNNING")
    (held,) = cluster.chronos.left()
    assert (held.key, held.tenths) == (f"{job_id}-1", 5)
    assert (await relay.released(job_id)).status == "COMPLETED"
    assert not cluster.chronos.left()
    states = dict.fromkeys(await cluster.states(job_id))
    assert list(states) == ["QUEUED", "SCHEDULING", "CREATING_PARTITION", "RUNNING", "COMPLETED"]


@virtual
async def test_a_job_whose_worker_has_lost_its_ssh_goes_to_the_next() -> None:
    cluster = Cluster()
    relay = await cluster.relay()
    cluster.nodes["w0"].sshd = False
    both = [await relay.submit(gpu=1), await relay.submit(gpu=1)]
    done = {job_id: await relay.released(job_id) for job_id in both}
    assert {(job.status, job.worker) for job in done.values()} == {("COMPLETED", "w1")}
    moved = next(job_id for job_id, job in done.items() if job.attempt == 2)
    told = await cluster.messages(moved)
    assert "w0: the SSH of w0 is away; trying again" in told
    # It takes no GPU job now, but others; its user can see why.
    known = relay.inventory.worker("w0")
    assert known is not None and known.ready and "SSH" in known.devices_message
    assert (await relay.released(await relay.submit(gpu=0.5))).attempt == 1


@virtual
async def test_jobs_without_a_gpu_go_where_nothing_can_be_booked() -> None:
    cluster = Cluster(1)
    cluster.nodes["w0"].sshd = False
    relay = await cluster.relay()
    assert (await relay.released(await relay.submit())).status == "COMPLETED"


@virtual
async def test_a_refused_share_goes_to_the_next_worker() -> None:
    cluster = Cluster()
    relay = await cluster.relay()
    for node in cluster.nodes.values():
        node.refuses = True
    cluster.nodes["w1"].refuses = False
    for _ in range(3):
        job = await relay.released(await relay.submit(gpu=1))
        assert (job.status, job.worker) == ("COMPLETED", "w1")


@virtual
async def test_the_last_worker_that_refuses_fails_the_job_with_its_words() -> None:
    cluster = Cluster(1)
    cluster.nodes["w0"].refuses = True
    relay = await cluster.relay()
    job = await relay.released(await relay.submit(gpu=0.5))
    assert (job.status, job.attempt) == ("FAILED", 3) and job.error is not None
    assert job.message == "Chronos partition creation failed: only 1 of device 0 is left"
    assert job.error["code"] == "INTERNAL" and job.error["next"]


@virtual
async def test_where_no_worker_comes_back_the_job_fails_with_the_reason() -> None:
    cluster = Cluster(1)
    relay = await cluster.relay()
    cluster.nodes["w0"].sshd = False
    began = now()
    job = await relay.released(await relay.submit(gpu=0.5))
    assert (job.status, job.message) == ("FAILED", SSH) and job.error is not None
    assert job.error["code"] == "UNAVAILABLE" and job.error["next"] == "Start it."
    assert 30 < now() - began < 60


@virtual
async def test_a_worker_that_comes_back_soon_gets_the_job() -> None:
    cluster = Cluster(1)
    relay = await cluster.relay()
    cluster.nodes["w0"].chronosd = False
    job_id = await relay.submit(gpu=0.5)
    await asyncio.sleep(15)
    cluster.nodes["w0"].chronosd = True
    job = await relay.released(job_id)
    assert (job.status, job.attempt) == ("COMPLETED", 2)


@virtual
async def test_an_end_never_waits_for_a_worker_that_is_away() -> None:
    cluster = Cluster(1)
    cluster.runner.default_s = 20
    relay = await cluster.relay()
    job_id = await relay.submit(gpu=0.5)
    await relay.until(job_id, "RUNNING")

    async def hang(node: str, argv: Sequence[str]) -> None:
        await asyncio.sleep(1000)

    cluster.chronos.before = hang
    await relay.until(job_id, "COMPLETED")
    ended = now()
    await relay.released(job_id)
    assert now() - ended < 6 and cluster.chronos.left()
    cluster.chronos.before = None
    await asyncio.sleep(200)
    assert not cluster.chronos.left()


@virtual
async def test_what_an_earlier_relay_left_is_released_before_anything_is_booked() -> None:
    cluster = Cluster(1)
    node = cluster.nodes["w0"]
    node.held["old"] = Held("old", 0, 10, "relay-of-tests", "job-gone-1", now() + 10_000)
    node.held["theirs"] = Held("theirs", 0, 0, "somebody", "x-1", now() + 10_000)
    relay = await cluster.relay()
    job = await relay.released(await relay.submit(gpu=1))
    assert (job.status, job.attempt) == ("COMPLETED", 1)
    assert list(node.held) == ["theirs"]


@virtual
async def test_a_ledger_that_was_lost_is_made_again_and_what_runs_goes_on() -> None:
    cluster = Cluster(1)
    cluster.runner.default_s = 300
    relay = await cluster.relay()
    job_id = await relay.submit(gpu=0.5)
    await relay.until(job_id, "RUNNING")
    cluster.nodes["w0"].held.clear()
    await asyncio.sleep(60)
    (held,) = cluster.chronos.left()
    assert held.key == f"{job_id}-1"
    job = await relay.released(job_id)
    assert job.status == "COMPLETED" and not cluster.chronos.left()


@virtual
async def test_a_booking_lasts_as_long_as_its_job() -> None:
    cluster = Cluster(1)
    cluster.runner.claim_delay_s, cluster.runner.default_s = 500, 550
    relay = await cluster.relay(claim_timeout_s=1000)
    job_id = await relay.submit(gpu=0.5, duration_s=600)
    await relay.until(job_id, "RUNNING")
    await asyncio.sleep(540)
    assert cluster.chronos.left()[0].ends_at > now() + 60
    assert (await relay.released(job_id)).status == "COMPLETED"


@virtual
async def test_a_relay_killed_between_booking_and_start_leaves_nothing_twice() -> None:
    cluster = Cluster(1)
    relay = await cluster.relay()
    stopped = asyncio.Event()

    async def die(node: str, argv: Sequence[str]) -> None:
        if argv[0] == "create":
            stopped.set()
            await asyncio.Event().wait()

    cluster.chronos.after = die
    job_id = await relay.submit(gpu=1)
    await stopped.wait()
    assert len(cluster.chronos.left()) == 1
    await relay.crash()
    cluster.chronos.after = None
    relay = await cluster.relay()
    job = await relay.released(job_id)
    assert (job.status, job.attempt) == ("COMPLETED", 2) and not cluster.chronos.left()


@virtual
async def test_a_job_is_told_what_its_booking_waits_for() -> None:
    cluster = Cluster(1)
    relay = await cluster.relay()
    tries = 0

    async def lose(node: str, argv: Sequence[str]) -> None:
        nonlocal tries
        tries += argv[0] == "create"
        if tries <= 2 and argv[0] == "create":
            raise Unreachable("its SSH did not answer")

    cluster.chronos.before = lose
    job_id = await relay.submit(gpu=0.5)
    assert (await relay.released(job_id)).attempt == 1
    assert "w0: its SSH did not answer; trying again" in await cluster.messages(job_id)


@virtual
async def test_a_worker_that_nobody_added_books_nothing_and_says_so() -> None:
    cluster = Cluster(2)
    cluster.world.workers[0] = replace(cluster.world.workers[0], node="stranger")
    relay = await cluster.relay()
    for _ in range(3):
        assert (await relay.released(await relay.submit(gpu=1))).worker == "w1"
    known = relay.inventory.worker("w0")
    assert known is not None and "add-worker" in known.devices_message


@virtual
async def test_a_worker_is_not_avoided_for_long_after_it_is_in_order() -> None:
    cluster = Cluster()
    relay = await cluster.relay()
    cluster.runner.default_s = 400
    cluster.nodes["w0"].refuses = True
    running = [await relay.submit(gpu=1), await relay.submit(gpu=1)]
    await asyncio.sleep(20)
    cluster.nodes["w0"].refuses = False
    done = [await relay.released(job_id) for job_id in running]
    assert {job.status for job in done} == {"COMPLETED"}
    assert {job.worker for job in done} == {"w0", "w1"}
