"""Random histories in virtual time: relays that die at any commit, runners that die, faulty executors.

A failing seed is replayed by ``simulate(seed)``: nothing but the seed decides what happens.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import CumulusError
from cumulus_jupyter.protocol.jobs import END_STATES
from cumulus_server.executors.base import Device, StartFailed, StartRequest, Worker
from cumulus_server.store import JobRow, attempts, events
from tests.fakes.executor import FakeExecutor, FakeWorld, Faults
from tests.fakes.inline_store import InlineStore
from tests.fakes.relay import FakeRelay, SimulatedRunner
from tests.fakes.virtual_time import run_virtual

#: How many histories one run of the tests looks at; SIMULATION_SEEDS asks for more.
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "300"))
CHUNK = 25


class Simulation:
    """One random history."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.store = InlineStore()
        self.runner = SimulatedRunner()
        self.world = FakeWorld(self.workers(), behaviour=self.runner)
        #: What a relay is built with besides.
        self.outside: dict[str, Any] = {}
        self.relay: FakeRelay | None = None
        self.jobs: list[str] = []
        self.retries: dict[str, int] = {}
        #: Jobs that something was done to: killed, cancelled, not started.
        self.harmed: set[str] = set()
        self.calm = False
        self._died = asyncio.Event()

    def workers(self) -> list[Worker]:
        devices = tuple(Device(f"gpu{at}") for at in range(self.random.choice([1, 2, 4])))
        return [
            Worker(f"w{at}", "fake", slots=self.random.randint(1, 4), memory_mib=1000, devices=devices)
            for at in range(self.random.choice([1, 1, 2]))
        ]

    def chance(self, share: float) -> bool:
        return not self.calm and self.random.random() < share

    async def start_relay(self) -> None:
        """A new relay process on what the last one has left."""
        self.store.crash_after(None)
        faults = Faults(self._before_start, self._after_start, self._on_stop, self._on_destroy)
        executor = FakeExecutor(self.world, claim_timeout_s=30, faults=faults)
        relay = FakeRelay(self.store, [executor], **self.outside)
        relay.new_id = lambda: f"job{self.random.getrandbits(32):08x}"
        self.store.on_crash = lambda: self._dead(relay)
        if self.chance(0.5):
            self.store.crash_after(self.random.randint(1, 30))
        self.relay = self.runner.relay = relay
        starting = asyncio.create_task(relay.start())
        if await self._done_or_dead(starting, relay):
            starting.result()

    def _dead(self, relay: FakeRelay) -> None:
        relay.alive = False
        self._died.set()

    async def _done_or_dead(self, task: asyncio.Task[Any], relay: FakeRelay) -> bool:
        """Wait for the task, or for the relay's end, which is the task's too."""
        died = asyncio.create_task(self._died.wait())
        await asyncio.wait([task, died], return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if relay.alive:
            return True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False

    async def keep_a_relay(self) -> None:
        """Whenever the relay has died, another one comes after a while."""
        while True:
            await self._died.wait()
            assert self.relay is not None
            await self.relay.crash()
            await asyncio.sleep(self.random.choice([0.0, 0.3, 5, 60]))
            self._died.clear()
            await self.start_relay()

    async def _before_start(self, request: StartRequest) -> None:
        await asyncio.sleep(self.random.choice([0, 0, 0.01, 1]))
        if self.chance(0.1):
            self.harmed.add(request.job_id)
            raise StartFailed("as it happens")

    async def _after_start(self, request: StartRequest) -> None:
        if self.chance(0.1):
            self.harmed.add(request.job_id)
            raise TimeoutError("the answer was lost")

    async def _on_stop(self, handle: Any) -> None:
        if self.chance(0.2):
            raise OSError("the engine does not answer")

    async def _on_destroy(self, handle: Any) -> None:
        await asyncio.sleep(self.random.choice([0, 0, 0.5]))
        if self.chance(0.2):
            raise OSError("the engine does not answer")

    async def submit(self) -> None:
        relay = self.relay
        if relay is None or not relay.alive:
            return
        retries = self.random.choice([0, 0, 1, 2])
        spec: dict[str, Any] = {
            "gpu": self.random.choice([None, None, 0.1, 0.5, 0.7, 1]),
            "retries": retries,
            "duration_s": self.random.choice([60, 3600]),
        }
        submitting = asyncio.create_task(relay.submit(**spec))
        if not await self._done_or_dead(submitting, relay):
            return
        try:
            job_id = submitting.result()
        except CumulusError:
            return
        self.jobs.append(job_id)
        self.retries[job_id] = retries
        self.runner.run_s[job_id] = self.random.choice([0.0, 0.05, 1, 20, 50])

    async def disturb(self) -> None:
        """One thing that happens to somebody."""
        if not self.jobs:
            return
        job_id = self.random.choice(self.jobs)
        what = self.random.random()
        keys = list(self.world.instances)
        if what < 0.3 and keys:
            key = self.random.choice(keys)
            self.harmed.add(key[0])
            self.random.choice([self.world.kill, self.world.kill, self.world.stop, self.world.lose])(key)
        elif what < 0.5 and self.relay is not None and self.relay.alive:
            self.harmed.add(job_id)
            cancelling = asyncio.create_task(self.relay.cancel(job_id))
            await asyncio.wait([cancelling], timeout=0.1)
            cancelling.cancel()
        elif what < 0.65 and self.relay is not None and self.relay.alive:
            self._dead(self.relay)
        elif what < 0.8:
            self.store.crash_after(self.random.randint(1, 12))
        elif what < 0.9:
            self.runner.claim_delay_s = self.random.choice([0.01, 0.5, 29, 31])
            self.harmed.update(self.jobs)
        else:
            self.runner.heeds_cancel = self.random.random() < 0.7

    async def run(self) -> None:
        await self.start_relay()
        keeper = asyncio.create_task(self.keep_a_relay())
        for _ in range(self.random.randint(5, 40)):
            await asyncio.sleep(self.random.choice([0, 0.01, 0.3, 3]))
            await (self.submit() if self.random.random() < 0.5 else self.disturb())
        self.calm, self.runner.claim_delay_s = True, 0.01
        self.store.crash_after(None)
        self.mend()
        for _ in range(200):
            await asyncio.sleep(20)
            if keeper.done():
                keeper.result()
            if await self._settled():
                break
        assert self.relay is not None and self.relay.alive
        await self.check()
        keeper.cancel()
        await self.relay.crash()

    def mend(self) -> None:
        """Nothing goes wrong any more."""

    def may_fail(self, job: JobRow) -> bool:
        """Whether something was done to the job that can end it."""
        return job.id in self.harmed

    async def _settled(self) -> bool:
        left = await self.store.run(attempts.load_unfinished)
        up = self.relay is not None and self.relay.alive and not self._died.is_set()
        return up and not left and not self.world.instances

    async def check(self) -> None:
        relay = self.relay
        assert relay is not None
        for job_id in self.jobs:
            job = await relay.row(job_id)
            assert job.ended and job.released, f"{job_id} is {job.status} in attempt {job.attempt}"
            assert job.handle is None and job.partition is None
            told = await self.store.run(lambda tx, n=job.number: events.after(tx, n, 0, 10_000))  # type: ignore[misc]
            assert [event.seq for event in told] == list(range(1, len(told) + 1))
            bodies = [json.loads(event.body) for event in told]
            ends = [body for body in bodies if body.get("state") in END_STATES]
            assert len(ends) == 1 and bodies[-1] is not None and bodies[-1] == ends[0]
            assert ends[0]["state"] == job.status
            if not self.may_fail(job):
                assert job.status == "COMPLETED", (job.message, job.error)
            claimed = [key for key in self.runner.begun if key[0] == job_id]
            assert len(claimed) <= 1 + self.retries[job_id]
            assert len([key for key in self.runner.accepted if key[0] == job_id]) <= 1
        assert len(set(self.runner.begun)) == len(self.runner.begun), "an attempt's code began twice"
        assert not self.runner.overlaps, "two attempts of one job ran at once"
        assert not self.runner.running
        assert not self.world.instances, "an instance was left"
        assert not await self.store.run(attempts.leases), "a lease was left"
        for room in relay.scheduler.capacity.rooms.values():
            assert not room.holds and set(room.free) == {10} and room.slots == room.worker.slots
        assert not relay.scheduler.line.in_order()


def simulate(seed: int) -> None:
    """One history; raises where a promise was broken."""
    simulation = Simulation(seed)
    run_virtual(simulation.run())
    simulation.store.close()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_promise_holds_in_random_histories(first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            simulate(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
