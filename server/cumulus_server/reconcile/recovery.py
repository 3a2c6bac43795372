"""What a relay does about the attempts of the one before it, and about instances nobody wants."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from cumulus_jupyter.protocol.jobs import RUNNING

from ..executors.base import Executor, ExecutorUnavailable, InstanceStatus, Owned
from ..scheduling.model import Placement, Share
from ..store import JobRow, Transaction, attempts
from .endings import LIVE
from .tasks import within

if TYPE_CHECKING:
    from .loop import Reconciler

log = logging.getLogger(__name__)


Found = dict[tuple[str, int], tuple[Executor, Owned]]
Shares = dict[str, list[Share]]


async def recover(loop: Reconciler, awaited: Collection[str] = ()) -> None:
    """Book what is held, adopt what runs, destroy what nobody wants, and wake every unfinished job.

    What the ``awaited`` executors have is left for ``take_over``.
    """
    owned = await _owned(loop, [executor for name, executor in loop.executors.items() if name not in awaited])
    rows, shares = await loop.store.run(_held)
    for job in rows:
        if job.executor in awaited and job.status in LIVE:
            loop.live.watch(job.id, job.attempt)
    held = [job for job in rows if not job.released and job.executor not in awaited]
    await _take(loop, held, shares, owned)
    await _destroy_unwanted(loop, owned, rows)
    for job in rows:
        loop.wake(job.id)


async def take_over(loop: Reconciler, executor: Executor) -> None:
    """The same for one executor, once it can be used; its workers take no job before.

    Raises ``ExecutorUnavailable``; then it is to be asked again.
    """
    owned = await _owned_by(loop, executor)
    workers = await loop.inventory.look(executor)
    rows, shares = await loop.store.run(_held)
    loop.inventory.keep(executor, workers)
    mine = [job for job in rows if job.executor == executor.name and not job.released]
    await _take(loop, mine, shares, owned)
    await _destroy_unwanted(loop, owned, rows)
    for job in mine:
        loop.wake(job.id)


async def remove_strays(loop: Reconciler, executors: Iterable[Executor]) -> None:
    """Destroy instances that belong to no attempt, and look at attempts whose instance is gone."""
    seen = list(executors)
    owned = await _owned(loop, seen)
    rows = await loop.store.run(attempts.load_unfinished)
    await _destroy_unwanted(loop, owned, rows)
    for job in rows:
        known = owned.get((job.id, job.attempt))
        executor = next((each for each in seen if each.name == job.executor), None)
        if job.status == RUNNING and job.handle and executor and (known is None or not known[1].alive):
            try:
                status = await within(loop.patience.call_s, executor.inspect(job.handle))
            except ExecutorUnavailable:
                continue
            if not status.alive:
                loop.live.gone(job.id, job.attempt, status)


def _held(tx: Transaction) -> tuple[list[JobRow], Shares]:
    """Every unfinished job, and the shares of devices that each one holds."""
    shares: Shares = {}
    for lease in attempts.leases(tx):
        shares.setdefault(lease.job_id, []).append(Share(lease.device, lease.tenths))
    return attempts.load_unfinished(tx), shares


async def _take(loop: Reconciler, held: list[JobRow], shares: Shares, owned: Found) -> None:
    """Book what attempts hold, and adopt the instances of those that are live."""
    # All of it at once: by the end of a wait, a job may have ended and given back what it held.
    for job in held:
        _book(loop, job, tuple(shares.get(job.id, ())))
    for job in held:
        if job.status in LIVE:
            await _adopt(loop, job, owned)


def _book(loop: Reconciler, job: JobRow, shares: tuple[Share, ...]) -> None:
    if job.worker in loop.scheduler.capacity.rooms:
        loop.scheduler.capacity.take(
            Placement(job.id, job.worker, shares),
            cpu=job.spec.resources.cpu or 0.0,
            memory_mib=job.spec.resources.memory_mib or 0,
            ends_ms=(job.attempt_ms or job.created_ms) + job.spec.resources.duration_s * 1000,
        )


async def _adopt(loop: Reconciler, job: JobRow, owned: Found) -> None:
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


async def _owned(loop: Reconciler, executors: Iterable[Executor]) -> Found:
    """What these executors have; one that cannot be reached is left out, with all it has."""
    found: Found = {}
    for executor in executors:
        try:
            found.update(await _owned_by(loop, executor))
        except ExecutorUnavailable as error:
            log.warning("the executor %s cannot be asked: %s", executor.name, error.message)
    return found


async def _owned_by(loop: Reconciler, executor: Executor) -> Found:
    instances = await within(loop.patience.call_s, executor.list_owned())
    return {(owned.job_id, owned.attempt): (executor, owned) for owned in instances}


async def _destroy_unwanted(loop: Reconciler, owned: Found, rows: list[JobRow]) -> None:
    """``owned`` was listed before ``rows`` were read, so an attempt begun meanwhile is among these."""
    wanted = {(job.id, job.attempt) for job in rows if not job.released}
    for key, (executor, instance) in owned.items():
        if key not in wanted:
            log.warning("removing what attempt %d of job %s has left", key[1], key[0])
            try:
                await within(loop.patience.call_s, executor.destroy(instance.handle))
            except Exception:
                log.exception("it could not be removed; it is tried again")
