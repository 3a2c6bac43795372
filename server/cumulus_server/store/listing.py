"""Jobs by the page, and counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cumulus_jupyter.protocol.jobs import CANCELLED, COMPLETED, FAILED, QUEUED, Stats

from .database import Transaction
from .queries import sql
from .rows import JobRow, job_row


@dataclass(frozen=True)
class Query:
    """Which jobs to list."""

    state: str | None = None
    label: str | None = None
    label_value: str | None = None
    #: Number of the job before which the page starts.
    before: int | None = None
    limit: int = 50

    @property
    def searches(self) -> bool:
        """Whether every job may have to be looked at."""
        return self.state is not None or self.label is not None


def page(tx: Transaction, owner: str, query: Query) -> tuple[list[int], str | None]:
    """Numbers of jobs, newest first, and the cursor of the next page where there is one."""
    rows = tx.execute(
        sql.list_jobs,
        {
            "owner": owner,
            "state": query.state,
            "label": query.label,
            "label_value": query.label_value,
            "before": query.before,
            "count": query.limit + 1,
        },
    ).fetchall()
    numbers = [int(row[0]) for row in rows[: query.limit]]
    return numbers, str(numbers[-1]) if len(rows) > query.limit else None


def newest_and_active(tx: Transaction, owner: str, newest: int, active: int) -> list[int]:
    """Numbers of the owner's newest jobs and of those that have not ended, so many each; newest first."""
    asked = {"owner": owner, "newest": newest, "active": active}
    return [int(row[0]) for row in tx.execute(sql.newest_and_active, asked)]


def of_numbers(tx: Transaction, numbers: Iterable[int]) -> list[JobRow]:
    """The jobs of these numbers, in this order; those that are gone are left out."""
    rows = (tx.execute(sql.get_job_of_number, (number,)).fetchone() for number in numbers)
    return [job_row(row) for row in rows if row is not None]


def stats(tx: Transaction, owner: str | None) -> Stats:
    """Counts over the kept history, of one owner or of all."""
    counts = {row[0]: row[1] for row in tx.execute(sql.count_by_status, {"owner": owner})}
    mean_ms = tx.execute(sql.mean_run_ms, {"owner": owner}).fetchone()[0]
    ended = {state: counts.pop(state, 0) for state in (COMPLETED, FAILED, CANCELLED)}
    decided = ended[COMPLETED] + ended[FAILED]
    return Stats(
        active=sum(counts.values()),
        queued=counts.get(QUEUED, 0),
        completed=ended[COMPLETED],
        failed=ended[FAILED],
        cancelled=ended[CANCELLED],
        success_rate=ended[COMPLETED] / decided if decided else None,
        average_duration_s=None if mean_ms is None else mean_ms / 1000,
    )
