"""What moves jobs, put together: executors, partitions, scheduler, inventory, reconcile loop."""

from __future__ import annotations

from .executors.base import Executor
from .executors.process.executor import ProcessConfig, ProcessExecutor
from .reconcile.deadlines import Patience
from .reconcile.launch import Address
from .reconcile.loop import Reconciler
from .relay.contract import Placement
from .relay.service import Moving, Relay
from .scheduling.scheduler import Scheduler
from .workers.inventory import Inventory


class LocalMoving:
    """The reconcile loop with the executors of this configuration. See ``relay.service.Moving``."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        config, state = relay.config, relay.state
        process = ProcessConfig(
            root=state.path / "process",
            environments=state.path / "environments",
            slots=config.process_slots,
            warm=config.process_warm,
            pythons=config.process_pythons,
            simulated_gpus=relay.simulated_gpus,
            grace_s=config.grace_s,
        )
        executors: list[Executor] = [ProcessExecutor(process, relay.answer_runner)]
        scheduler = Scheduler()
        self._inventory = Inventory(scheduler, executors)
        self.placement: Placement = self._inventory
        self.reconciler = Reconciler(
            relay.store,
            relay.hub,
            scheduler,
            self._inventory,
            executors,
            self._address,
            patience=Patience(grace_s=config.grace_s),
        )
        self.wake = self.reconciler.wake

    async def _address(self, executor: Executor) -> Address:
        return Address(self._relay.url, str(self._relay.state.relay_file))

    async def start(self) -> None:
        """Take up what the last relay left, and go on."""
        await self.reconciler.start()

    async def stop(self) -> None:
        """Stop moving jobs; running ones go on."""
        await self.reconciler.stop()

    async def refresh(self) -> None:
        """Look at the workers again, now."""
        await self._inventory.refresh()


def build_moving(relay: Relay) -> Moving:
    """What moves a relay's jobs."""
    return LocalMoving(relay)
