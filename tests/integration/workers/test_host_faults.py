"""Random faults of real hosts, each with sshd and chronosd, under jobs whose shares are booked on them.

One host stays up, so every job completes. HOST_FAULTS asks for more sequences.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_server.executors.base import Device, Worker
from cumulus_server.workers.health import Added
from cumulus_server.workers.remotes import Remotes
from cumulus_server.workers.ssh import Host as SshHost
from tests.contract.partition_harness import DEVICES, HostHarness
from tests.fakes.chronos import OWNER
from tests.fakes.executor import FakeExecutor, FakeWorld
from tests.fakes.inline_store import InlineStore
from tests.fakes.relay import FakeRelay, SimulatedRunner
from tests.patience import LIMIT_S
from tests.rig.docker import docker

SEQUENCES = int(os.environ.get("HOST_FAULTS", "5"))
FAULTS = ("frozen", "sshd", "chronosd", "full", "relay")
JOBS = 6


class HostsRemote(Remotes):
    """The way to the hosts, which are those that were added."""

    def __init__(self, key: Path, hosts: dict[str, SshHost]) -> None:
        super().__init__(lambda: key, timeout_s=10.0)
        self._hosts = hosts

    async def added(self) -> list[Added]:
        return [Added(node, node, host) for node, host in self._hosts.items()]


class Sequence:
    """Two hosts, of which the first has faults, and relays that die."""

    def __init__(self, seed: int, hosts: list[HostHarness]) -> None:
        self.random = random.Random(seed)
        self.what = FAULTS[seed % len(FAULTS)]
        self.hosts = hosts
        self.store = InlineStore()
        self.runner = SimulatedRunner()
        self.runner.default_s = 0.3
        workers = [
            Worker(
                f"w{at}",
                "fake",
                slots=8,
                memory_mib=1000,
                devices=tuple(
                    Device(f"w{at}-{each['uuid']}", index=index) for index, each in enumerate(DEVICES)
                ),
                labels=(("chronos.installed", "true"),),
                node=f"w{at}",
            )
            for at in range(len(hosts))
        ]
        self.world = FakeWorld(workers, behaviour=self.runner)
        self.died = asyncio.Event()
        self.relay: FakeRelay = None  # type: ignore[assignment]

    async def start_relay(self, crash_after: int | None = None) -> None:
        self.died.clear()
        self.store.crash_after(crash_after)
        there = {f"w{at}": each.there for at, each in enumerate(self.hosts)}
        remote = HostsRemote(self.hosts[0].key, there)
        relay = self.relay = self.runner.relay = FakeRelay(
            self.store, [FakeExecutor(self.world)], remote=remote
        )

        def dead() -> None:
            relay.alive = False
            self.died.set()

        self.store.on_crash = dead
        await relay.start()

    def harm(self, what: str) -> None:
        host = self.hosts[0].host
        if what == "frozen":
            docker("pause", host.name)
        elif what == "sshd":
            host.sh("pkill -STOP -o -x sshd; pkill -KILL -u cumulus; true")
        elif what == "chronosd":
            host.kill_daemon()
        elif what == "full":
            for device in range(len(DEVICES)):
                host.cli(f"create {device} 1.0 600", user="root")

    def mend(self, what: str) -> None:
        host = self.hosts[0].host
        if what == "frozen":
            docker("unpause", host.name)
        elif what == "sshd":
            host.sh("pkill -CONT -o -x sshd")
        elif what == "chronosd":
            self.hosts[0].start()
        elif what == "full":
            self.release(lambda entry: entry["owner"] != OWNER)

    def release(self, wanted: Any) -> None:
        for entry in self.hosts[0].host.cli("list", user="root")["partitions"]:
            if wanted(entry):
                self.hosts[0].host.cli(f"release {entry['partition']}", user="root")

    def left(self) -> list[str]:
        """Keys of our bookings on all hosts."""
        return [
            entry["key"]
            for each in self.hosts
            for entry in each.host.cli(f"list --owner {OWNER}", user="root")["partitions"]
        ]

    async def run(self) -> None:
        await self.start_relay()
        await asyncio.sleep(self.random.choice([0, 1.0]))
        what = self.what
        first = [await self.submit() for _ in range(JOBS // 2)]
        if what == "relay":
            self.store.crash_after(self.random.randint(1, 12))
        else:
            await asyncio.to_thread(self.harm, what)
        second = [] if what == "relay" else [await self.submit() for _ in range(JOBS // 2)]
        if what == "relay":
            async with asyncio.timeout(LIMIT_S):
                await self.died.wait()
            await self.relay.crash()
            await self.start_relay()
        for job_id in [*first, *second]:
            async with asyncio.timeout(2 * LIMIT_S):
                job = await self.relay.released(job_id)
            assert job.status == "COMPLETED", (what, job.message)
        await asyncio.to_thread(self.mend, what)
        async with asyncio.timeout(LIMIT_S):
            while left := await asyncio.to_thread(self.left):  # noqa: ASYNC110
                await asyncio.sleep(1)
        assert not left and not self.world.instances and not self.runner.overlaps
        await self.relay.crash()
        self.store.close()

    async def submit(self) -> str:
        return await self.relay.submit(gpu=self.random.choice([0.3, 0.5, 1]), duration_s=60)


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[HostHarness]]:
    first = HostHarness()
    second = HostHarness(first.key)
    yield [first, second]
    first.close()
    second.close()


@pytest.mark.needs_engine
@pytest.mark.parametrize("seed", range(SEQUENCES))
async def test_jobs_complete_and_nothing_is_left(seed: int, hosts: list[HostHarness]) -> None:
    await Sequence(seed, hosts).run()
