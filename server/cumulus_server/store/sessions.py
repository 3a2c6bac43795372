"""Which runner has a job: claims taken, session keys known, event numbers received."""

from __future__ import annotations

from . import events
from .database import Transaction
from .queries import sql
from .rows import JobRow, job_row


def take_claim(tx: Transaction, job: JobRow, session_hash: str) -> bool:
    """Give the attempt to this session; ``False`` where another one has it."""
    claim = {"id": job.id, "attempt": job.attempt, "session_hash": session_hash}
    if tx.execute(sql.take_claim, claim).rowcount != 1:
        return False
    tx.execute(sql.insert_session, (session_hash, job.id, job.attempt))
    return True


def find(tx: Transaction, session_hash: str) -> tuple[str, int] | None:
    """The job and attempt a session key was accepted for; it may be over by now."""
    row = tx.execute(sql.find_session, (session_hash,)).fetchone()
    return None if row is None else (row[0], row[1])


def find_job(tx: Transaction, session_hash: str) -> tuple[JobRow, int] | None:
    """The job a session key was accepted for as it is now, and the attempt that the key is for."""
    row = tx.execute(sql.find_job_of_session, (session_hash,)).fetchone()
    return None if row is None else (job_row(row), row["session_attempt"])


def receive(tx: Transaction, job: JobRow, through: int, new: list[tuple[str, bytes]]) -> None:
    """Store a runner's events; ``through`` is the highest number it gave to one."""
    stored = events.write(tx, job.number, job.id, job.last_seq, new)
    tx.execute(sql.set_received, (through, job.last_seq + len(stored), job.number))
