"""Attempts that have an instance, or are about to: watched, ended early, lost, and put away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from cumulus_jupyter.protocol.errors import CumulusError, DeadlineExceeded
from cumulus_jupyter.protocol.jobs import FAILED, RUNNING

from ..executors.base import Executor, InstanceStatus, StartFailed
from ..partitions.base import PartitionFailed
from ..relay.contract import Control
from ..store import JobRow, Store, Transaction, attempts, jobs
from . import deadlines, endings
from .bookings import Bookings
from .deadlines import Patience, Watch
from .elsewhere import Elsewhere
from .launch import Launch, Launcher
from .queue import KeyedQueue
from .tasks import TaskPool, within
from .telling import Telling

log = logging.getLogger(__name__)

Key = tuple[str, int]

#: Seconds that an executor has to say what a silent instance has said.
_EXPLAIN_S = 10.0
#: Exit statuses where what a runner was started in can never run a job: its Python is too old, or none.
_UNFIT = frozenset({78, 126, 127})
_STOPPED = "it was stopped, and not by the relay (a drained worker, docker stop, a machine that is halted)"


class LiveAttempts:
    """What is known of every live attempt beside its row. Lost with the relay, and made anew."""

    def __init__(
        self,
        store: Store,
        control: Control,
        executors: Mapping[str, Executor],
        bookings: Bookings,
        elsewhere: Elsewhere,
        launcher: Launcher,
        queue: KeyedQueue,
        tasks: TaskPool,
        patience: Patience,
        look: Callable[[str], Awaitable[None]],
    ) -> None:
        """``look`` looks at an executor's workers again, by its name."""
        self._store = store
        self._control = control
        self._executors = executors
        self._bookings = bookings
        self._elsewhere = elsewhere
        self._launcher = launcher
        self._queue = queue
        self._tasks = tasks
        self._patience = patience
        self._look = look
        self._launching: dict[str, asyncio.Task[None]] = {}
        self._watches: dict[str, Watch] = {}
        self._ends: dict[str, tuple[int, InstanceStatus]] = {}
        self._start_failures: dict[str, int] = {}
        #: Attempts whose runner has not told their end, so that it is not waited for.
        self._forced: set[Key] = set()
        #: Executors whose instances have not been taken over yet, so that nothing is known of them.
        self.awaited: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether something is being started."""
        return bool(self._launching)

    def watch(self, job_id: str, attempt: int) -> None:
        """Remember a live attempt.

        One that an earlier relay has begun gets its whole time again: its runner keeps the time, and
        only that runner knows when its code began. This loop's own deadline is for runners that don't.
        """
        self._watches[job_id] = Watch(attempt, _now())

    def gone(self, job_id: str, attempt: int, status: InstanceStatus) -> None:
        """The instance of this attempt has ended, or never began. Others are not looked at."""
        watch = self._watches.get(job_id)
        if watch is not None and watch.attempt == attempt:
            self._ends[job_id] = (attempt, status)
            self._queue.wake(job_id)

    def forget(self, job_id: str) -> None:
        """The job has ended and holds nothing."""
        self._watches.pop(job_id, None)
        self._ends.pop(job_id, None)
        self._start_failures.pop(job_id, None)
        self._elsewhere.forget(job_id)

    def launch(self, launch: Launch) -> None:
        """Start the instance of an attempt that has been written down."""
        job_id = launch.job.id
        self._ends.pop(job_id, None)
        self.watch(job_id, launch.request.attempt)
        self._launching[job_id] = self._tasks.spawn(f"launch {job_id}", self._launch(launch))

    async def _launch(self, launch: Launch) -> None:
        job_id, attempt = launch.job.id, launch.request.attempt
        telling = Telling(self._store, self._tasks.spawn, job_id, attempt)
        try:
            await self._launcher.act(launch, telling)
        except Exception as error:
            if isinstance(error, CumulusError):
                status = InstanceStatus(False, message=error.message, next=error.next)
            else:
                log.exception("the job %s could not be started", job_id)
                status = InstanceStatus(False, message=f"{type(error).__name__}: {error}")
            if isinstance(error, PartitionFailed):
                self._elsewhere.failed(job_id, attempt, launch.placement.worker, error)
                self._bookings.failed(launch.booking_request.node, error)
            if isinstance(error, StartFailed) and error.permanent:
                self._start_failures[job_id] = endings.START_TRIES
            self.gone(job_id, attempt, status)
        finally:
            telling.end()
            self._launching.pop(job_id, None)
            self._queue.wake_after(job_id, 0.0 if job_id in self._ends else launch.executor.claim_timeout_s)

    async def tend(self, job: JobRow) -> float | None:
        """The next step of a live attempt; the seconds until the one after it."""
        watch = self._watches.get(job.id)
        if watch is None or watch.attempt != job.attempt:
            return None  # begun by another relay on the same store, which looks after it
        gone = self._ends.pop(job.id, None)
        if gone is not None and gone[0] == job.attempt:
            return await self._lost(job, gone[1])
        if job.target != "COMPLETED":
            return await self._end_early(job, watch)
        if job.status != RUNNING:
            return await self._await_claim(job, watch)
        if watch.running_since is None:
            watch.running_since = _now()
        duration_s = job.spec.resources.duration_s
        left_s = deadlines.until_overdue(watch, duration_s, self._patience, _now())
        if left_s > 0:
            return left_s
        error = deadlines.overdue(job.id, duration_s).to_wire()
        await self._store.run(lambda tx: jobs.set_target(tx, job.id, FAILED, error))
        return 0.0

    async def _await_claim(self, job: JobRow, watch: Watch) -> float | None:
        if job.id in self._launching:
            return None  # its end wakes the job
        executor = self._executors[job.executor]
        if job.executor in self.awaited or executor.trouble:
            watch.since = _now()  # what it does now cannot be seen
        left_s = watch.since + executor.claim_timeout_s - _now()
        if left_s > 0:
            return left_s
        return await self._lost(job, InstanceStatus(False, message="it did not report in time"), silent=True)

    async def _lost(self, job: JobRow, status: InstanceStatus, *, silent: bool = False) -> float | None:
        """``silent``: nothing is known of the instance but that no runner has claimed the attempt."""
        reason = status.message or "it ended without a word"
        if status.exit_code in _UNFIT:
            self._start_failures[job.id] = endings.START_TRIES
        unbooked = self._elsewhere.error(job.id, job.attempt)
        if job.claimed and status.exit_code == 0:
            reason = _STOPPED  # it has reported an end, which nobody had asked for
        if not job.claimed:
            reason = reason if unbooked else await self._explained(job, reason)
            self._start_failures[job.id] = self._start_failures.get(job.id, 0) + 1
        await self._look(job.executor)
        failures = self._start_failures.get(job.id, 0)
        if unbooked is not None:
            end = endings.unbooked(unbooked, job.worker, failures)
        else:
            end = endings.lost(reason, failures, status.next)
        after = await self._store.run(endings.of_attempt(job.id, job.attempt, end, unclaimed=silent))
        if silent and after.status != RUNNING:
            self._forced.add((job.id, job.attempt))
        return 0.0 if job.claimed else min(5.0, 0.1 * 2**failures)

    async def _explained(self, job: JobRow, reason: str) -> str:
        """The reason, with what the instance itself has said where nothing was heard of it."""
        executor = self._executors.get(job.executor)
        if executor is None or job.handle is None:
            return reason
        try:
            words = (await within(_EXPLAIN_S, executor.explain(job.handle))).strip()
        except Exception as error:
            log.warning("%s cannot explain what became of %s: %s", job.executor, job.id, error)
            return reason
        return f"{reason}: {words}" if words and words not in reason else reason

    async def _end_early(self, job: JobRow, watch: Watch) -> float | None:
        """Cancelled, or overdue: ask, ask again, then end it."""
        now = _now()
        if not job.claimed:
            return await self._kill(job)
        if watch.cancel_since is None:
            watch.cancel_since = now
        if not watch.told:
            watch.told = self._control.control(job.id, "cancel")
        left_s = deadlines.until_stop(watch, self._patience, now)
        if not watch.stopped and left_s > 0:
            return left_s
        if not watch.stopped:
            watch.stopped = True
            if job.handle is not None:
                stop = self._executors[job.executor].stop(job.handle, self._patience.grace_s)
                await within(self._patience.call_s, stop)
        left_s = deadlines.until_destroyed(watch, self._patience, _now())
        return left_s if left_s > 0 else await self._kill(job)

    async def _kill(self, job: JobRow) -> float | None:
        """Move the job to its target; what is there of the attempt is destroyed with its release."""
        self._forced.add((job.id, job.attempt))
        end = endings.to_target(DeadlineExceeded(job_id=job.id))
        await self._store.run(endings.of_attempt(job.id, job.attempt, end))
        return 0.0

    async def release(self, job: JobRow) -> JobRow:
        """Give back everything the attempt holds outside. Every part may be done twice."""
        launching = self._launching.get(job.id)
        if launching is not None:
            launching.cancel()
            await asyncio.wait([launching])
        self._watches.pop(job.id, None)
        self._ends.pop(job.id, None)
        executor = self._executors.get(job.executor)
        if executor is not None and job.handle is not None:
            reported = job.ended and (job.id, job.attempt) not in self._forced
            await within(self._patience.call_s, executor.destroy(job.handle, ended=reported))
        if job.devices:
            await self._bookings.release(job)

        def mark(tx: Transaction) -> JobRow:
            return attempts.mark_released(tx, job.id, job.attempt)

        released = await self._store.run(mark, durable=False)
        self._forced.discard((job.id, job.attempt))
        return released


def _now() -> float:
    return asyncio.get_running_loop().time()
