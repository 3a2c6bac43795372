"""Which runner has a job: claims taken, session keys known, event numbers received."""

from __future__ import annotations

from .database import Transaction
from .queries import sql
from .rows import JobRow, job_row


def take_claim(tx: Transaction, job: JobRow, session_hash: str) -> JobRow | None:
    """Give the attempt to this session; ``None`` where another one has it."""
    row = tx.execute(
        sql.take_claim, {"id": job.id, "attempt": job.attempt, "session_hash": session_hash}
    ).fetchone()
    if row is None:
        return None
    tx.execute(sql.insert_session, (session_hash, job.id, job.attempt))
    return job_row(row)


def find(tx: Transaction, session_hash: str) -> tuple[str, int] | None:
    """The job and attempt a session key was accepted for; it may be over by now."""
    row = tx.execute(sql.find_session, (session_hash,)).fetchone()
    return None if row is None else (row[0], row[1])


def set_through(tx: Transaction, number: int, through: int) -> None:
    """The highest runner event number that is stored."""
    tx.execute(sql.set_runner_through, (through, number))
