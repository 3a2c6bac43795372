"""The store's rows as plain values, and how they become what users see."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from cumulus_jupyter.protocol.jobs import END_STATES, QUEUED, DeviceView, JobSpec, JobView
from cumulus_jupyter.protocol.shares import short_share_words

#: A job's row is read a dozen times on its way, and its specification never changes.
_spec = lru_cache(maxsize=256)(msgspec.json.Decoder(JobSpec).decode)
_devices = msgspec.json.Decoder(list[DeviceView])


@dataclass(frozen=True)
class Lease:
    """A share of one device that one attempt holds."""

    job_id: str
    attempt: int
    worker: str
    device: str
    tenths: int


@dataclass(frozen=True)
class JobRow:
    """A job as the relay keeps it."""

    #: Order of submission.
    number: int
    id: str
    owner: str
    #: The specification; its ``program`` is left out (empty), see ``jobs.program``.
    spec: JobSpec
    bundle_bytes: int
    status: str
    #: "COMPLETED" until a user or a deadline wants "CANCELLED" or "FAILED".
    target: str
    #: Why the target is not COMPLETED: ``{code, message, job_id, next}``.
    target_error: dict[str, Any] | None
    #: 0 before the first.
    attempt: int
    executor: str
    worker: str
    #: Devices held, ``used_tenths`` being this job's share.
    devices: list[DeviceView]
    enforced_by: str
    #: What the executor's ``start`` gave; ``None`` before and after.
    handle: dict[str, Any] | None
    partition: dict[str, Any] | None
    claim_hash: str | None
    #: Set once a runner has claimed the current attempt.
    session_hash: str | None
    #: Highest runner event number stored of the current attempt.
    runner_through: int
    last_seq: int
    message: str
    error: dict[str, Any] | None
    #: False: an instance, partition or lease may still be held outside.
    released: bool
    created_ms: int
    attempt_ms: int | None
    #: When the current attempt was claimed.
    started_ms: int | None
    ended_ms: int | None

    @property
    def ended(self) -> bool:
        """True in an end state."""
        return self.status in END_STATES

    @property
    def cancel_requested(self) -> bool:
        """True once the job should stop and has not."""
        return self.target != "COMPLETED" and not self.ended

    @property
    def claimed(self) -> bool:
        """True once a runner has committed itself to the current attempt."""
        return self.session_hash is not None


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def job_row(row: sqlite3.Row) -> JobRow:
    """The row of ``jobs`` as a value."""
    return JobRow(
        number=row["number"],
        id=row["id"],
        owner=row["owner"],
        spec=_spec(row["spec"]),
        bundle_bytes=row["bundle_bytes"],
        status=row["status"],
        target=row["target"],
        target_error=_json(row["target_error"]),
        attempt=row["attempt"],
        executor=row["executor"],
        worker=row["worker"],
        devices=_devices.decode(row["devices"]) if row["devices"] != "[]" else [],
        enforced_by=row["enforced_by"],
        handle=_json(row["handle"]),
        partition=_json(row["partition"]),
        claim_hash=row["claim_hash"],
        session_hash=row["session_hash"],
        runner_through=row["runner_through"],
        last_seq=row["last_seq"],
        message=row["message"],
        error=_json(row["error"]),
        released=bool(row["released"]),
        created_ms=row["created_ms"],
        attempt_ms=row["attempt_ms"],
        started_ms=row["started_ms"],
        ended_ms=row["ended_ms"],
    )


def job_view(job: JobRow, values: list[str]) -> JobView:
    """The job as its owner sees it, but for what only the running relay knows."""
    return JobView(
        id=job.id,
        state=job.status,
        name=job.spec.name,
        owner=job.owner,
        created_ms=job.created_ms,
        attempt=job.attempt,
        resources=job.spec.resources,
        labels=job.spec.labels,
        requirements=job.spec.requirements,
        executor=job.executor or job.spec.executor,
        image=job.spec.image,
        needs=job.spec.needs,
        worker=job.worker,
        devices=job.devices,
        enforced_by=job.enforced_by,
        message=job.message,
        cancel_requested=job.cancel_requested,
        started_ms=job.started_ms,
        ended_ms=job.ended_ms,
        error=job.error,
        last_seq=job.last_seq,
        values=values,
        priority=job.spec.priority,
        origin=job.spec.origin,
        # A job that waits again still has the devices of its last attempt in its row.
        share="" if job.status == QUEUED else short_share_words(job.devices, job.enforced_by),
    )
