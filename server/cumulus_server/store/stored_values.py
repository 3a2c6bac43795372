"""Which values of a job are stored on disk, and how large they are."""

from __future__ import annotations

from .database import Transaction
from .queries import sql


def put(tx: Transaction, job_id: str, name: str, attempt: int, size_bytes: int) -> None:
    """Say that a value is stored; a second time replaces the first."""
    tx.execute(sql.put_value, (job_id, name, attempt, size_bytes))


def attempt_of(tx: Transaction, job_id: str, name: str) -> int | None:
    """The attempt that stored a value; ``None`` where there is none."""
    row = tx.execute(sql.get_value, (job_id, name)).fetchone()
    return None if row is None else int(row[0])


def names(tx: Transaction, job_id: str) -> list[str]:
    """Names of a job's stored values."""
    return [str(row[0]) for row in tx.execute(sql.value_names, (job_id,))]


def other_bytes(tx: Transaction, job_id: str, name: str) -> int:
    """Bytes that the job's other values take."""
    return int(tx.execute(sql.value_bytes, (job_id, name)).fetchone()[0])
