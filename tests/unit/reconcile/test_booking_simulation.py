"""Random histories of a cluster whose shares are booked on its nodes, in virtual time.

sshd and chronosd come and go, ledgers are lost, bookings refused, answers slow or lost, workers lost, and
relays die between any two steps. A failing seed is replayed by ``simulate(seed)``.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cumulus_server.executors.base import Device, Worker
from cumulus_server.partitions.remote import Unreachable
from cumulus_server.reconcile.endings import START_TRIES
from cumulus_server.store import JobRow
from tests.fakes.chronos import FakeChronos, FakeNode
from tests.fakes.virtual_time import EPOCH_MS, run_virtual

from .test_simulation import Simulation

#: How many histories one run of the tests looks at; BOOKING_SEEDS asks for more.
SEEDS = int(os.environ.get("BOOKING_SEEDS", "300"))
CHUNK = 25
#: Until a relay has noticed at the latest that a worker is back, in seconds.
NOTICED_S = 25.0
WORDS = ("Failed to create Chronos partition on worker", "Chronos partition creation failed")


class BookingSimulation(Simulation):
    """One random history."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        nodes = {each.node: FakeNode(each.id, len(each.devices)) for each in self.world.workers}
        self.chronos = FakeChronos(nodes, self._before, self._after)
        self.outside = {"chronos": self.chronos}
        #: Since when each node can have something booked, and its worker runs what is placed there.
        self.up_since: dict[str, float | None] = dict.fromkeys(nodes, 0.0)
        self.failed_while_up: list[str] = []

    def workers(self) -> list[Worker]:
        return [
            Worker(
                f"w{at}",
                "fake",
                slots=4,
                memory_mib=1000,
                devices=tuple(Device(f"w{at}-gpu{n}", index=n) for n in range(self.random.choice([1, 2]))),
                labels=(("chronos.installed", "true"),),
                node=f"node{at}",
            )
            for at in range(self.random.choice([1, 2, 3]))
        ]

    async def _before(self, node: str, argv: Sequence[str]) -> None:
        await self._step(argv)

    async def _after(self, node: str, argv: Sequence[str]) -> None:
        await self._step(argv)
        if self.chance(0.1):
            self.up_since[node] = asyncio.get_running_loop().time()
            raise Unreachable("the answer was lost")

    async def _step(self, argv: Sequence[str]) -> None:
        """A moment on the way: it may take long, and the relay may die in it."""
        relay = self.relay
        await asyncio.sleep(self.random.choice([0, 0, 0.01, 0.2, 7]) if not self.calm else 0.01)
        if relay is not None and relay.alive and self.chance(0.03):
            self._dead(relay)
        if relay is not None and not relay.alive:
            await asyncio.Event().wait()  # whoever asked is gone

    async def disturb(self) -> None:
        await (super().disturb() if self.random.random() < 0.35 else self._disturb_a_node())
        self.note()

    async def _disturb_a_node(self) -> None:
        node_id = self.random.choice(list(self.chronos.nodes))
        node, what = self.chronos.nodes[node_id], self.random.random()
        if what < 0.3:
            node.sshd = not node.sshd
        elif what < 0.5:
            node.chronosd = not node.chronosd
        elif what < 0.6:
            node.held.clear()  # restarted without its ledger
        elif what < 0.75:
            node.refuses = not node.refuses
        else:
            self._lose_or_find(node_id)

    def _lose_or_find(self, node_id: str) -> None:
        """The worker goes down with all that runs there, or comes back."""
        at = next(at for at, each in enumerate(self.world.workers) if each.node == node_id)
        worker = self.world.workers[at]
        self.world.workers[at] = replace(worker, ready=not worker.ready, message="lost")
        node = self.chronos.nodes[node_id]
        node.sshd = node.chronosd = self.world.workers[at].ready
        if not worker.ready:
            return
        for key, instance in list(self.world.instances.items()):
            if instance.request.worker == worker.id:
                self.harmed.add(key[0])
                self.world.kill(key)

    def mend(self) -> None:
        for node in self.chronos.nodes.values():
            node.sshd = node.chronosd = True
            node.refuses = False
        self.world.workers = [replace(each, ready=True, message="") for each in self.world.workers]
        self.note()

    def note(self) -> None:
        """Look at what is up, and at what runs on each device."""
        ready = {each.node: each.ready for each in self.world.workers}
        for node_id, node in self.chronos.nodes.items():
            if not (node.sshd and node.chronosd and not node.refuses and ready[node_id]):
                self.up_since[node_id] = None
            elif self.up_since[node_id] is None:
                self.up_since[node_id] = asyncio.get_running_loop().time()
        used: Counter[tuple[str, str]] = Counter()
        for key in self.runner.running:
            instance = self.world.instances.get(key)
            for device in instance.request.devices if instance is not None else ():
                tenths = instance.request.resources.gpu_tenths if instance is not None else 0
                used[(instance.request.worker if instance else "", device)] += min(tenths, 10)
        assert all(tenths <= 10 for tenths in used.values()), used

    async def run(self) -> None:
        watching = asyncio.create_task(self._watch())
        await super().run()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        """Every job that fails for want of a booking, while there was somebody who could give it one."""
        seen: set[str] = set()
        while True:
            await asyncio.sleep(2)
            self.note()
            for job_id in [each for each in self.jobs if each not in seen]:
                assert self.relay is not None
                job = await self.relay.row(job_id) if self.relay.alive else None
                if job is None or job.ended_ms is None:
                    continue
                seen.add(job_id)
                ended = (job.ended_ms - EPOCH_MS) / 1000
                up = [node for node, since in self.up_since.items() if since and ended - since > NOTICED_S]
                if up and self._for_want(job) and job.attempt < START_TRIES:
                    self.failed_while_up.append(f"{job_id}: {job.message}; up: {up}")

    @staticmethod
    def _for_want(job: JobRow) -> bool:
        return job.status == "FAILED" and job.message.startswith(WORDS)

    def may_fail(self, job: JobRow) -> bool:
        return super().may_fail(job) or self._for_want(job)

    async def check(self) -> None:
        await asyncio.sleep(60)
        await super().check()
        assert not self.failed_while_up
        assert not self.chronos.left(), "a booking was left"
        for node in self.chronos.nodes.values():
            assert node.most <= 10, "a device was booked twice"
        assert self.relay is not None
        for worker in self.world.workers:
            assert not self.relay.health.why_not(worker)


def simulate(seed: int) -> BookingSimulation:
    """One history; raises where a promise was broken."""
    simulation = BookingSimulation(seed)
    run_virtual(simulation.run())
    simulation.store.close()
    return simulation


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_promise_holds_in_random_histories(first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            simulate(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
