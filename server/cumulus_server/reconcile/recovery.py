"""What a relay does about the attempts of the one before it, and about instances nobody wants."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cumulus_jupyter.protocol.jobs import RUNNING

from ..executors.base import Executor, InstanceStatus, Owned
from ..scheduling.model import Placement, Share
from ..store import JobRow, attempts
from .endings import LIVE
from .tasks import within

if TYPE_CHECKING:
    from .loop import Reconciler

log = logging.getLogger(__name__)


async def recover(loop: Reconciler) -> None:
    """Book what is held, adopt what runs, destroy what nobody wants, and wake every unfinished job."""
    rows, leases = await loop.store.run(lambda tx: (attempts.load_unfinished(tx), attempts.leases(tx)))
    shares: dict[str, list[Share]] = {}
    for lease in leases:
        shares.setdefault(lease.job_id, []).append(Share(lease.device, lease.tenths))
    owned = await _owned(loop)
    for job in rows:
        if not job.released:
            _book(loop, job, tuple(shares.get(job.id, ())))
            if job.status in LIVE:
                await _adopt(loop, job, owned)
    await _destroy_unwanted(loop, owned, rows)
    for job in rows:
        loop.wake(job.id)


async def remove_strays(loop: Reconciler) -> None:
    """Destroy instances that belong to no attempt, and look at attempts whose instance is gone."""
    owned = await _owned(loop)
    rows = await loop.store.run(attempts.load_unfinished)
    await _destroy_unwanted(loop, owned, rows)
    for job in rows:
        known = owned.get((job.id, job.attempt))
        executor = loop.executors.get(job.executor)
        if job.status == RUNNING and job.handle and executor and (known is None or not known[1].alive):
            status = await within(loop.patience.call_s, executor.inspect(job.handle))
            if not status.alive:
                loop.live.gone(job.id, job.attempt, status)


def _book(loop: Reconciler, job: JobRow, shares: tuple[Share, ...]) -> None:
    if job.worker in loop.scheduler.capacity.rooms:
        loop.scheduler.capacity.take(
            Placement(job.id, job.worker, shares),
            memory_mib=job.spec.resources.memory_mib or 0,
            ends_ms=(job.attempt_ms or job.created_ms) + job.spec.resources.duration_s * 1000,
        )


async def _adopt(loop: Reconciler, job: JobRow, owned: dict[tuple[str, int], tuple[Executor, Owned]]) -> None:
    loop.live.watch(job.id, job.attempt)
    executor = loop.executors.get(job.executor)
    found = owned.get((job.id, job.attempt))
    if executor is None:
        status = InstanceStatus(False, message=f"the executor {job.executor} is not configured any more")
    elif found is None and job.handle is None:
        status = InstanceStatus(False, message="the relay was stopped before it had started")
    else:
        handle = found[1].handle if found is not None else job.handle
        assert handle is not None
        status = await within(loop.patience.call_s, executor.recover(handle))
    if not status.alive:
        loop.live.gone(job.id, job.attempt, status)


async def _owned(loop: Reconciler) -> dict[tuple[str, int], tuple[Executor, Owned]]:
    found: dict[tuple[str, int], tuple[Executor, Owned]] = {}
    for executor in loop.executors.values():
        instances = await within(loop.patience.call_s, executor.list_owned())
        found.update(((owned.job_id, owned.attempt), (executor, owned)) for owned in instances)
    return found


async def _destroy_unwanted(
    loop: Reconciler, owned: dict[tuple[str, int], tuple[Executor, Owned]], rows: list[JobRow]
) -> None:
    """``owned`` was listed before ``rows`` were read, so an attempt begun meanwhile is among these."""
    wanted = {(job.id, job.attempt) for job in rows if not job.released}
    for key, (executor, instance) in owned.items():
        if key not in wanted:
            log.warning("removing what attempt %d of job %s has left", key[1], key[0])
            try:
                await within(loop.patience.call_s, executor.destroy(instance.handle))
            except Exception:
                log.exception("it could not be removed; it is tried again")
