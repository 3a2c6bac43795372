"""What the reconcile loop keeps about attempts: who runs a job, what is held for it, what is left.

``released`` is the loop's own mark: 0 from ``begin_attempt`` on, 1 again once the instance is
destroyed and the partition and leases are given back. A job can begin a new attempt only when it is
QUEUED and released, so two attempts are never alive at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from cumulus_jupyter.protocol.jobs import DeviceView

from ..lifecycle import IllegalTransition
from .clock import now_ms
from .database import Transaction
from .jobs import get
from .queries import sql
from .rows import JobRow, Lease, job_row


def load_unfinished(tx: Transaction) -> list[JobRow]:
    """Every job that has not ended, or still holds something; oldest first."""
    return [job_row(row) for row in tx.execute(sql.load_unfinished)]


def load_holding(tx: Transaction) -> list[JobRow]:
    """Every job whose attempt holds devices; oldest first."""
    return [job_row(row) for row in tx.execute(sql.load_holding)]


def load_queued(tx: Transaction) -> list[JobRow]:
    """The queue, in order of submission."""
    return [job_row(row) for row in tx.execute(sql.load_queued)]


def begin_attempt(
    tx: Transaction,
    job_id: str,
    *,
    executor: str,
    worker: str,
    claim_hash: str,
    devices: Iterable[DeviceView] = (),
    leases: Iterable[tuple[str, int]] = (),
    enforced_by: str = "",
    handle: dict[str, Any] | None = None,
) -> JobRow:
    """Give a queued job its next attempt number, its place, and its leases of (device, tenths).

    The status stays QUEUED: the caller makes the transition in the same transaction, so that its
    event shows worker and devices. ``claim_hash`` is ``relay.tokens.token_hash`` of the claim
    token. Raises ``IllegalTransition`` for a job that is not QUEUED, is to be cancelled, or holds
    something of an earlier attempt.

    Need not wait for the disk: an attempt that a power cut undoes has no claim, and can get none.
    """
    tx.durable = False
    row = tx.execute(
        sql.begin_attempt,
        {
            "id": job_id,
            "executor": executor,
            "worker": worker,
            "devices": msgspec.json.encode(list(devices)).decode(),
            "enforced_by": enforced_by,
            "claim_hash": claim_hash,
            "handle": None if handle is None else json.dumps(handle),
            "now_ms": now_ms(),
        },
    ).fetchone()
    if row is None:
        job = get(tx, job_id)
        raise IllegalTransition(f"The job is {job.status} and cannot begin an attempt", job_id=job_id)
    job = job_row(row)
    for device, tenths in leases:
        tx.execute(sql.insert_lease, (job_id, job.attempt, worker, device, tenths))
    return job


def save_handle(tx: Transaction, job_id: str, attempt: int, handle: dict[str, Any]) -> bool:
    """Keep the executor's handle; False where the job has moved on to another attempt."""
    cursor = tx.execute(sql.save_handle, {"id": job_id, "attempt": attempt, "handle": json.dumps(handle)})
    return cursor.rowcount == 1


def save_partition(
    tx: Transaction, job_id: str, attempt: int, partition: dict[str, Any], enforced_by: str
) -> bool:
    """Keep what the partition's ``create`` gave, and what enforces it."""
    cursor = tx.execute(
        sql.save_partition,
        {"id": job_id, "attempt": attempt, "partition": json.dumps(partition), "enforced_by": enforced_by},
    )
    return cursor.rowcount == 1


def mark_released(tx: Transaction, job_id: str, attempt: int) -> JobRow:
    """Nothing outside is held for this attempt any more: forget handle, partition and leases."""
    tx.execute(sql.delete_leases, (job_id, attempt))
    row = tx.execute(sql.mark_released, {"id": job_id, "attempt": attempt}).fetchone()
    return get(tx, job_id) if row is None else job_row(row)


def leases(tx: Transaction) -> list[Lease]:
    """Every share held now."""
    return [Lease(*row) for row in tx.execute(sql.all_leases)]
