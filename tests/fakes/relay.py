"""The inside of a relay without HTTP: store, hub, runs and reconcile loop, to be killed and built anew."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cumulus_jupyter.protocol.channel import Claim, Outcome
from cumulus_jupyter.protocol.errors import CumulusError, FailedPrecondition
from cumulus_jupyter.protocol.jobs import CANCELLED, JobSpec
from cumulus_jupyter.protocol.resources import Resources
from cumulus_server.executors.base import Executor
from cumulus_server.partitions.chronos import ChronosPartition
from cumulus_server.reconcile.deadlines import Patience
from cumulus_server.reconcile.launch import Address
from cumulus_server.reconcile.loop import Reconciler
from cumulus_server.relay.batches import Batch
from cumulus_server.relay.files import Files
from cumulus_server.relay.hub import Hub
from cumulus_server.relay.runs import Runs
from cumulus_server.relay.specs import encode_spec, new_job_id
from cumulus_server.scheduling.scheduler import Scheduler
from cumulus_server.store import JobRow, jobs
from cumulus_server.workers.health import Health
from cumulus_server.workers.inventory import Inventory

from .chronos import OWNER, FakeChronos, FakeRemote
from .executor import FakeExecutor, FakeInstance, FakeWorld
from .inline_store import InlineStore


async def _address(executor: Executor) -> Address:
    return Address("http://127.0.0.1:1/")


class FakeRelay:
    """One relay process's worth of objects on a store that outlives it."""

    def __init__(
        self,
        store: InlineStore,
        executors: list[Executor],
        *,
        patience: Patience | None = None,
        files: Path = Path("/nonexistent"),
        order: Sequence[str] = (),
        chronos: FakeChronos | None = None,
        remote: Any = None,
        **inventory: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        clock = getattr(loop, "now_ms", None)
        more = {} if clock is None else {"clock_ms": clock}
        self.store = store
        self.hub = Hub()
        self.hub.store = store  # type: ignore[assignment]
        self.scheduler = Scheduler(order)
        remote = remote or FakeRemote(chronos or FakeChronos())
        self.health = Health(remote.added, remote)
        self.inventory = Inventory(
            self.scheduler, executors, **more, why_not=self.health.why_not, **inventory
        )
        self.reconciler = Reconciler(
            store,  # type: ignore[arg-type]
            self.hub,
            self.scheduler,
            self.inventory,
            executors,
            _address,
            health=self.health,
            partitions={"chronos": ChronosPartition(remote, OWNER)},
            patience=patience,
            **more,
        )
        self.runs = Runs(store, self.hub, Files(files), self.reconciler, 1 << 30)  # type: ignore[arg-type]
        self.alive = True
        #: Makes the ids of submitted jobs.
        self.new_id: Callable[[], str] = new_job_id

    async def start(self) -> None:
        """Take up what is in the store."""
        self.store.on_events = self.hub.publish
        await self.reconciler.start()

    async def crash(self) -> None:
        """Gone between two instructions: nothing is put away."""
        self.alive = False
        await self.reconciler.stop()

    async def submit(self, gpu: float | None = None, **spec: object) -> str:
        """Store a job as submissions does, and wake the loop."""
        duration_s = int(spec.pop("duration_s", 3600))  # type: ignore[call-overload]
        resources = Resources(gpu=gpu, duration_s=duration_s, memory_mib=spec.pop("memory_mib", None))  # type: ignore[arg-type]
        full = JobSpec(program={}, resources=resources, **spec)  # type: ignore[arg-type]
        await self.inventory.check(full)
        job_id = self.new_id()
        new = jobs.NewJob(job_id, "me", encode_spec(full), b"{}")
        await self.store.run(lambda tx: jobs.insert(tx, new))
        self.reconciler.wake(job_id)
        return job_id

    async def cancel(self, job_id: str) -> None:
        """Cancel as submissions does."""
        await self.store.run(lambda tx: jobs.set_target(tx, job_id, CANCELLED))
        self.reconciler.wake(job_id)

    async def row(self, job_id: str) -> JobRow:
        """The job."""
        return await self.store.run(lambda tx: jobs.get(tx, job_id))

    async def until(self, job_id: str, *states: str, timeout_s: float = 100_000) -> JobRow:
        """Wait until the job is in one of these states."""

        async def look() -> JobRow:
            while (job := await self.row(job_id)).status not in states:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return job

        return await asyncio.wait_for(look(), timeout_s)

    async def released(self, job_id: str) -> JobRow:
        """Wait until the job has ended and holds nothing."""
        while not ((job := await self.row(job_id)).ended and job.released):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return job


class SimulatedRunner:
    """What a runner does, as an instance of a ``FakeWorld``: claim, run, report, stop when told.

    It keeps books of what user code did, for the invariants. ``relay`` is whichever relay is up.
    """

    def __init__(self, relay: FakeRelay | None = None) -> None:
        self.relay = relay
        self.run_s: dict[str, float] = {}
        self.default_s = 1.0
        self.claim_delay_s = 0.01
        self.heeds_cancel = True
        self.says = "hello\n"
        #: Attempts whose user code runs now, and all whose code ever began.
        self.running: set[tuple[str, int]] = set()
        self.begun: list[tuple[str, int]] = []
        self.overlaps: list[tuple[str, int]] = []
        self.accepted: list[tuple[str, int]] = []

    async def __call__(self, instance: FakeInstance) -> int:
        request = instance.request
        key = (request.job_id, request.attempt)
        await asyncio.sleep(self.claim_delay_s)
        session = secrets.token_hex(32)
        try:
            await self._ask(lambda relay: relay.runs.claim(request.claim_token, Claim(*key, session, "3.11")))
        except CumulusError:
            return 3
        if any(other[0] == key[0] for other in self.running):
            self.overlaps.append(key)
        self.begun.append(key)
        self.running.add(key)
        try:
            return await self._run(instance, key, session)
        except CumulusError:
            return 4
        finally:
            self.running.discard(key)

    async def _run(self, instance: FakeInstance, key: tuple[str, int], session: str) -> int:
        said = ("log", json.dumps({"type": "log", "stream": "stdout", "text": self.says}).encode())
        await self._post(session, Batch(1, [said], None))
        state = "COMPLETED"
        stopped = asyncio.create_task(self._told_to_stop(instance, session))
        try:
            await asyncio.wait_for(asyncio.shield(stopped), self.run_s.get(key[0], self.default_s))
            state = "CANCELLED"
        except TimeoutError:
            pass
        finally:
            stopped.cancel()
        self.running.discard(key)
        await self._post(session, Batch(2, [], Outcome(state)))
        if state == "COMPLETED":
            self.accepted.append(key)
        return 0

    async def _told_to_stop(self, instance: FakeInstance, session: str) -> None:
        if not self.heeds_cancel:
            await asyncio.Event().wait()
        await instance.stop_asked.wait()

    async def _post(self, session: str, batch: Batch) -> None:
        await self._ask(lambda relay: relay.runs.post_batch(session, batch))

    async def _ask(self, ask: object) -> object:
        """Ask the relay, again and again while none is up; an answer may be lost with it."""
        while True:
            relay = self.relay
            if relay is not None and relay.alive:
                asking = asyncio.ensure_future(ask(relay))  # type: ignore[operator]
                try:
                    while not asking.done() and relay.alive:
                        await asyncio.wait([asking], timeout=0.2)
                    if asking.done() and relay.alive:
                        return asking.result()
                finally:
                    asking.cancel()
            await asyncio.sleep(0.2)


__all__ = ["FailedPrecondition", "FakeExecutor", "FakeRelay", "FakeWorld", "SimulatedRunner"]
