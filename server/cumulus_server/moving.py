"""What moves jobs, put together: executors, partitions, scheduler, inventory, reconcile loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .config_checks import EXECUTORS
from .door.doors import Doors
from .executors.base import Executor
from .executors.containers.settings import ContainerConfig
from .executors.process.executor import ProcessConfig, ProcessExecutor
from .partitions.chronos import ChronosPartition
from .reconcile.deadlines import Patience
from .reconcile.launch import Address
from .reconcile.loop import Reconciler
from .relay.contract import Hosts, Placement
from .relay.service import Moving, Relay
from .scheduling.scheduler import Scheduler
from .store import workers as enrolled
from .supervisor import Supervisor
from .workers.enrolment import SwarmHosts
from .workers.health import Added, Health
from .workers.inventory import Inventory
from .workers.remotes import Remotes
from .workers.ssh import Host, ensure_key


class LocalMoving:
    """The reconcile loop with the executors of this configuration. See ``relay.service.Moving``."""

    def __init__(self, relay: Relay) -> None:
        names = relay.config.executors or EXECUTORS
        executors = [build_executor(name, relay) for name in names]
        scheduler = Scheduler(names, relay.config.placement)
        self._doors = Doors(relay)
        remotes = Remotes(lambda: ensure_key(relay.config)[0], relay.config.ssh_timeout_s)
        self._health = Health(lambda: load_added(relay), remotes)
        self._inventory = Inventory(
            scheduler,
            executors,
            reachable=self._doors.trouble,
            optional=() if relay.config.executors else set(names) - {"process"},
            why_not=self._health.why_not,
        )
        self.placement: Placement = self._inventory
        self.reconciler = Reconciler(
            relay.store,
            relay.hub,
            scheduler,
            self._inventory,
            executors,
            self._doors.address,
            health=self._health,
            partitions={ChronosPartition.name: ChronosPartition(remotes, relay.relay_id)},
            patience=Patience(grace_s=relay.config.grace_s),
        )
        self.wake = self.reconciler.wake
        swarm = next((each for each in executors if each.name == "swarm"), None)
        self.hosts: Hosts = build_hosts(relay, swarm, self._doors, self.refresh)

    async def start(self) -> None:
        """Take up what the last relay left, and go on."""
        await self.reconciler.start()

    async def stop(self) -> None:
        """Stop moving jobs; running ones go on."""
        try:
            await self.reconciler.stop()
        finally:
            await self._doors.close()  # last: a look at the workers opens them

    async def refresh(self) -> None:
        """Look at the workers again, now, and at which of them were added."""
        await self._health.refresh()
        await self._inventory.refresh()
        self.reconciler.plan()


async def load_added(relay: Relay) -> list[Added]:
    """The workers that were added, from the relay's store."""
    rows = await relay.store.run(enrolled.load_enrolled)
    return [
        Added(row.node_id, row.name, Host(row.ssh_address, row.ssh_port, row.ssh_user, row.host_key))
        for row in rows
    ]


def build_executor(name: str, relay: Relay) -> Executor:
    """One of ``EXECUTORS``, with the relay's settings; nothing is opened yet."""
    config, folder = relay.config, relay.state.path
    if name == "process":
        process = ProcessConfig(
            root=folder / "process",
            environments=folder / "environments",
            slots=config.process_slots,
            warm=config.process_warm,
            pythons=config.process_pythons,
            simulated_gpus=relay.simulated_gpus,
            grace_s=config.grace_s,
        )
        return ProcessExecutor(process, relay.answer_runner)
    containers = ContainerConfig(
        relay_id=relay.relay_id,
        folder=folder / name,
        host=config.swarm_host or config.docker_host if name == "swarm" else config.docker_host,
        slots=config.container_slots,
        images=config.job_images,
        memory_mib=config.container_memory_mib,
        pids=config.container_pids,
        user=config.container_user,
        shm_mib=config.container_shm_mib,
        ca_bundle=config.container_ca_bundle,
        env=config.container_env,
        grace_s=config.grace_s,
        simulated_gpus=relay.simulated_gpus,
    )
    if name == "docker":
        from .executors.docker import DockerExecutor

        return DockerExecutor(containers, Supervisor())
    from .executors.swarm import SwarmExecutor

    return SwarmExecutor(containers)


def build_hosts(
    relay: Relay, swarm: Executor | None, doors: Doors, changed: Callable[[], Awaitable[None]]
) -> Hosts:
    """What takes new hosts into the Swarm, where there is one."""
    from .executors.swarm import SwarmExecutor

    async def address() -> Address:
        assert swarm is not None, "only asked where there is a Swarm"
        return await doors.address(swarm)

    joined = swarm if isinstance(swarm, SwarmExecutor) else None
    return SwarmHosts(relay.config, relay.relay_id, joined, address, changed)


def build_moving(relay: Relay) -> Moving:
    """What moves a relay's jobs."""
    return LocalMoving(relay)
