"""Jobs leaving the store for good."""

from __future__ import annotations

from . import events
from .database import Transaction
from .queries import sql

#: Free pages given back in one transaction, so that others need not wait long.
_PAGES = 2000


def remove_ended(tx: Transaction, before_ms: int, limit: int) -> list[str]:
    """Remove at most ``limit`` jobs that ended before a time and hold nothing; their ids."""
    rows = tx.execute(sql.ended_before, (before_ms, limit)).fetchall()
    for number, job_id in rows:
        events.delete(tx, number)
        tx.execute(sql.delete_program, (number,))
        tx.execute(sql.delete_values, (job_id,))
        tx.execute(sql.delete_sessions, (job_id,))
        tx.execute(sql.delete_job, (number,))
    return [job_id for _, job_id in rows]


def shrink(tx: Transaction) -> bool:
    """Give some of the database's free pages back to the disk; whether there are more."""
    (free,) = tx.execute("PRAGMA freelist_count").fetchone()
    for _ in range(min(free, _PAGES)):
        # Of a statement without columns Python takes one step only, and that is one page.
        tx.execute("PRAGMA incremental_vacuum(1)")
    return bool(free > _PAGES)


def known_ids(tx: Transaction) -> set[str]:
    """Ids of every job."""
    return {row[0] for row in tx.execute(sql.all_ids)}
