"""The reconcile loop: looks at one job at a time and takes its next step.

A job is woken when something happened to it. The step depends on nothing but the job's row, the
scheduler's memory and what is known of its instance, so a loop that was killed at any point and
built anew goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cumulus_jupyter.protocol.errors import Unavailable
from cumulus_jupyter.protocol.jobs import QUEUED

from ..executors.base import Ended, Executor
from ..lifecycle import IllegalTransition
from ..partitions.base import Partition
from ..relay.contract import Control
from ..scheduling.asks import ask_of
from ..scheduling.model import Ask, Placement
from ..scheduling.scheduler import Scheduler
from ..scheduling.suiting import suits
from ..store import JobRow, Store, attempts, jobs
from ..store.clock import now_ms
from ..workers.health import Health
from ..workers.inventory import Inventory
from . import endings
from .bookings import Bookings
from .deadlines import Patience
from .elsewhere import Elsewhere
from .launch import Addresses, Launcher
from .live import LiveAttempts
from .opening import Opening
from .positions import Announcer
from .queue import KeyedQueue
from .recovery import recover, remove_strays
from .tasks import TaskPool, within


class Reconciler:
    """Moves jobs on. Built, started and stopped by the composition root; woken by the relay."""

    def __init__(
        self,
        store: Store,
        control: Control,
        scheduler: Scheduler,
        inventory: Inventory,
        executors: Sequence[Executor],
        address: Addresses,
        *,
        health: Health,
        partitions: Mapping[str, Partition] | None = None,
        patience: Patience | None = None,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        """``partitions`` are by name, beside the one that needs nobody; ``health`` is of Chronos workers.

        ``address`` is asked at every start of a runner, so not before ``start`` was called.
        """
        self.store = store
        self.scheduler = scheduler
        self.inventory = inventory
        self.executors = {executor.name: executor for executor in executors}
        self.patience = patience or Patience()
        self.clock_ms = clock_ms
        self._health = health
        self._elsewhere = Elsewhere(lambda: asyncio.get_running_loop().time())
        self.bookings = Bookings(store, inventory, partitions or {}, health, self.patience, clock_ms)
        self._queue = KeyedQueue(self._step)
        self._tasks = TaskPool()
        self._announcer = Announcer(store, scheduler, self.patience.announce_s)
        self._placed: dict[str, Placement] = {}
        self._launcher = Launcher(store, inventory, self.bookings, address, self.patience.call_s)
        self.live = LiveAttempts(
            store, control, self.executors, self.bookings, self._elsewhere, self._launcher, self._queue,
            self._tasks, self.patience, self._look,
        )  # fmt: skip
        self._opening = Opening(self)

    async def start(self) -> None:
        """Open the executors, take over what an earlier relay has left, and begin."""
        for executor in self.executors.values():
            changed = partial(self._executor_changed, executor)
            await within(self.patience.call_s, executor.open(self._instance_ended, changed))
        awaited = [executor for executor in self.executors.values() if not executor.settled.is_set()]
        self._opening.hold_back(awaited)
        await self.inventory.refresh()
        await recover(self, self.live.awaited)
        await self._health.start(self.bookings.compare, self._node_changed)
        self._queue.open()
        for executor in awaited:
            self._tasks.spawn(f"open {executor.name}", self._opening.take_up(executor))
        self._tasks.repeat("sweep", self.sweep, self.patience.sweep_s)
        self._tasks.repeat("positions", self._announcer.announce, self.patience.announce_s)

    async def stop(self) -> None:
        """Stop looking. Running jobs go on, and are adopted by the next relay."""
        await self._queue.close()
        await self._tasks.close()
        await self._health.stop()
        for executor in self.executors.values():
            await within(self.patience.call_s, executor.close())

    def wake(self, job_id: str) -> None:
        """Look at this job now."""
        self._queue.wake(job_id)

    @property
    def busy(self) -> bool:
        """Whether a step is being taken or due now."""
        return self._queue.busy or self.live.busy

    async def sweep(self) -> None:
        """Look for changed workers, and for instances that nobody wants or that are gone."""
        await self._refresh()
        usable = [each for each in self.executors.values() if not self.is_away(each)]
        await remove_strays(self, usable)

    def is_away(self, executor: Executor) -> bool:
        """Whether nothing can be asked of the executor now."""
        return executor.name in self.live.awaited or bool(executor.trouble)

    def _instance_ended(self, ended: Ended) -> None:
        self.live.gone(ended.job_id, ended.attempt, ended.status)

    def _node_changed(self, node: str) -> None:
        """A worker's devices can be booked again, or not any more, or are still in order."""
        again = self.inventory.devices_changed()
        if self._health.is_away(node):
            return
        for worker in self.inventory.on_node(node):
            for job_id in self._elsewhere.in_order(worker.id):
                if self.scheduler.line.remove(job_id) is not None:
                    self._queue.wake(job_id)  # joins again, with one worker more to go to
        if again:
            self._plan()

    def _executor_changed(self, executor: Executor) -> None:
        if executor.name in self.live.awaited:
            self._opening.changed(executor)
        else:
            self._tasks.spawn("refresh", self._after_change(executor))

    async def _after_change(self, executor: Executor) -> None:
        was_away = self.inventory.in_trouble(executor.name)
        await self.inventory.refresh([executor.name])
        self._plan()
        if was_away and not self.is_away(executor):
            await self.wake_jobs_of(executor)

    async def wake_jobs_of(self, executor: Executor) -> None:
        """Look at every job that has something there: what could not be done may be done now."""
        for job in await self.store.run(attempts.load_unfinished):
            if job.executor == executor.name:
                self.wake(job.id)

    async def _look(self, executor: str) -> None:
        """Look at the workers of one executor, where they are known to change."""
        if executor in self.executors and self.executors[executor].reach:
            await self.inventory.refresh([executor])

    async def _refresh(self) -> None:
        await self.inventory.refresh()
        self._plan()

    def plan(self) -> None:
        """Place whoever can start now: there are other workers than before."""
        self._plan()

    async def _step(self, job_id: str) -> float | None:
        job = await self.store.run(lambda tx: jobs.find(tx, job_id))
        if job is not None and job.status == QUEUED and job.target != "COMPLETED":
            # Before what it holds is given back, which may have to wait for somebody who is away.
            self._leave_line(job_id)
            job = await self.store.run(endings.of_queued(job_id, endings.to_target(Unavailable())))
        if job is not None and not job.released and (job.ended or job.status == QUEUED):
            job = await self.live.release(job)
            self._give_back(job_id)
        if job is None or job.ended:
            self._leave_line(job_id)
            self.live.forget(job_id)
            return None
        if job.status == QUEUED:
            return await self._queued(job)
        return await self.live.tend(job)

    async def _queued(self, job: JobRow) -> float | None:
        ask = self._ask(job)
        if job.id not in self._placed and job.id not in self.scheduler.line:
            self.scheduler.line.add(ask)
            self._announcer.joined(job.id)
            self._plan(but=job.id)
        placement = self._placed.pop(job.id, None)
        if placement is not None:
            await self._begin(job, placement)
        elif not job.spec.wait and self.inventory.looking:
            return 0.5  # some workers are not known yet, as after a restart
        elif not job.spec.wait:
            self._leave_line(job.id)
            no_room = endings.to_target(self.inventory.no_room(job.spec))
            await self.store.run(endings.of_queued(job.id, no_room))
        elif self._elsewhere.waits(job.id):
            return await self._await_somebody(job, ask)
        return None

    def _ask(self, job: JobRow) -> Ask:
        avoid = self._elsewhere.avoid(job.id)
        return ask_of(job.spec, job.id, job.number, job.created_ms, avoid=avoid)

    async def _await_somebody(self, job: JobRow, ask: Ask) -> float | None:
        """A job whose booking has failed waits for a worker to come up, but not without end."""
        capacity = self.scheduler.capacity
        chosen = capacity.executor_for(ask)
        able = [
            room.worker
            for room in capacity.rooms.values()
            if room.worker.ready and room.worker.executor == chosen and suits(room.worker, ask)
        ]
        anybody = any(not worker.devices_message for worker in able)
        left_s = self._elsewhere.left_s(job.id, anybody, self.patience.nobody_s)
        if left_s > 0:
            return left_s
        if any(self._health.is_looked_at(worker.node) for worker in able):
            return 1.0
        self._leave_line(job.id)
        error = self._elsewhere.last_error(job.id)
        await self.store.run(endings.of_queued(job.id, endings.to_target(error)))
        return None

    async def _begin(self, job: JobRow, placement: Placement) -> None:
        try:
            launch = await self._launcher.begin(job, placement)
        except IllegalTransition:
            self._give_back(job.id)
            self._queue.wake(job.id)  # it was cancelled meanwhile: look again
            return
        except BaseException:
            self._give_back(job.id)
            raise
        self.live.launch(launch)

    def _plan(self, but: str = "") -> None:
        """Place whoever can start now, and wake them; ``but`` is awake."""
        for placement in self.scheduler.plan(self.clock_ms()):
            self._announcer.left(placement.job_id)
            self._placed[placement.job_id] = placement
            if placement.job_id != but:
                self._queue.wake(placement.job_id)

    def _leave_line(self, job_id: str) -> None:
        self.scheduler.line.remove(job_id)
        self._announcer.left(job_id)
        if self._placed.pop(job_id, None) is not None:
            self._give_back(job_id)

    def _give_back(self, job_id: str) -> None:
        if self.scheduler.capacity.give_back(job_id):
            self._plan()
