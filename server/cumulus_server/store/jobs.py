"""Jobs in the store. Every function takes the transaction that ``Store.run`` gives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulus_jupyter.protocol.errors import NotFound
from cumulus_jupyter.protocol.events import State
from cumulus_jupyter.protocol.jobs import QUEUED

from ..lifecycle import SOURCES, IllegalTransition, check_transition
from . import events
from .clock import now_ms
from .database import StoredEvent, Transaction
from .queries import sql
from .rows import JobRow, job_row

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class NewJob:
    """A submission that has been checked."""

    id: str
    owner: str
    #: JSON of the JobSpec with an empty program.
    spec: bytes
    #: JSON of the program.
    program: bytes
    bundle_bytes: int = 0
    idempotency_key: str | None = None
    request_hash: str = ""


@dataclass(frozen=True)
class Moved:
    """A transition that was made: the job after it, and the events it wrote."""

    job: JobRow
    events: list[StoredEvent]


def insert(tx: Transaction, new: NewJob, message: str = "") -> Moved:
    """Store a new job with its QUEUED event."""
    row = tx.execute(
        sql.insert_job,
        {
            "id": new.id,
            "owner": new.owner,
            "idempotency_key": new.idempotency_key,
            "request_hash": new.request_hash,
            "spec": new.spec,
            "bundle_bytes": new.bundle_bytes,
            "now_ms": now_ms(),
        },
    ).fetchone()
    job = job_row(row)
    tx.execute(sql.insert_program, (job.number, new.program))
    first = events.encode_state(State(state=QUEUED, message=message))
    return Moved(job, events.write(tx, job.number, job.id, 0, [first]))


def find(tx: Transaction, job_id: str) -> JobRow | None:
    """The job, or ``None``."""
    row = tx.execute(sql.get_job, (job_id,)).fetchone()
    return None if row is None else job_row(row)


def get(tx: Transaction, job_id: str) -> JobRow:
    """The job. Raises ``NotFound``."""
    job = find(tx, job_id)
    if job is None:
        raise NotFound(f"Job not found: {job_id}", next="List your jobs with %cumulus jobs.", job_id=job_id)
    return job


def program(tx: Transaction, job: JobRow) -> bytes:
    """The JSON of a job's program."""
    (body,) = tx.execute(sql.get_program, (job.number,)).fetchone()
    return bytes(body)


def transition(
    tx: Transaction,
    job_id: str,
    to: str,
    *,
    from_: Iterable[str] | None = None,
    attempt: int | None = None,
    message: str = "",
    error: dict[str, Any] | None = None,
    position: int | None = None,
) -> Moved:
    """Move a job to the state ``to`` and write its State event, in this transaction.

    Guarded by the transition table, by ``from_`` (the states it is expected in) and by ``attempt``
    where given. Raises ``IllegalTransition`` where the job is elsewhere; then nothing was written.
    """
    allowed = SOURCES[to] if from_ is None else SOURCES[to] & frozenset(from_)
    row = tx.execute(
        sql.transition,
        {
            "id": job_id,
            "to": to,
            "allowed": f" {' '.join(sorted(allowed))} ",
            "attempt": attempt,
            "message": message,
            "error": None if error is None else _encode({**error, "job_id": job_id}).decode(),
            "now_ms": now_ms(),
        },
    ).fetchone()
    if row is None:
        job = get(tx, job_id)
        check_transition(job.status, to)
        raise IllegalTransition(
            f"The job is {job.status} in attempt {job.attempt}, so this cannot make it {to}", job_id=job_id
        )
    job = job_row(row)
    tx.durable = tx.durable or job.ended
    return Moved(job, events.write(tx, job.number, job.id, job.last_seq - 1, [_state(job, position)]))


def write_state(tx: Transaction, job: JobRow, *, position: int | None = None) -> list[StoredEvent]:
    """Tell a job's present state and message once more, as when its place in the line changed."""
    tx.execute(sql.set_message, (job.message, job.number))
    return events.append(tx, job.number, job.id, job.last_seq, [_state(job, position)])


def _state(job: JobRow, position: int | None) -> tuple[str, bytes]:
    event = State(
        state=job.status,
        message=job.message,
        attempt=job.attempt,
        worker=job.worker,
        devices=[msgspec.to_builtins(device) for device in job.devices],
        enforced_by=job.enforced_by,
        position=position,
        error=job.error,
    )
    return events.encode_state(event)


def set_target(tx: Transaction, job_id: str, target: str, error: dict[str, Any] | None = None) -> JobRow:
    """Ask for another end than COMPLETED. The first wish stands; an ended job stays as it is."""
    text = None if error is None else _encode({**error, "job_id": job_id}).decode()
    row = tx.execute(sql.set_target, {"id": job_id, "target": target, "error": text}).fetchone()
    return get(tx, job_id) if row is None else job_row(row)


def find_idempotent(tx: Transaction, owner: str, key: str) -> tuple[JobRow, str] | None:
    """The job that was submitted with this key, and the hash of that submission."""
    row = tx.execute(sql.find_idempotent, (owner, key)).fetchone()
    return None if row is None else (job_row(row), str(row["request_hash"]))
