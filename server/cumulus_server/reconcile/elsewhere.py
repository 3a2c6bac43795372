"""Jobs whose booking has failed on a worker: where they go next, and when there is nowhere left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..partitions.base import PartitionFailed

__all__ = ["Elsewhere"]

#: A worker that was found in order so long after a booking has failed there is not avoided any more.
_FORGIVEN_S = 30.0


@dataclass
class _Failed:
    #: When a booking failed, by worker.
    workers: dict[str, float] = field(default_factory=dict)
    attempt: int = 0
    error: PartitionFailed | None = None
    #: Since when no worker has been up that could hold the job.
    nobody_since: float | None = None


class Elsewhere:
    """Lost with the relay: then the next one tries again wherever there is room."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` tells the event loop's time."""
        self._clock = clock
        self._jobs: dict[str, _Failed] = {}

    def failed(self, job_id: str, attempt: int, worker: str, error: PartitionFailed) -> None:
        """The attempt's booking has failed on this worker."""
        job = self._jobs.setdefault(job_id, _Failed())
        job.workers[worker] = self._clock()
        job.attempt, job.error, job.nobody_since = attempt, error, None

    def error(self, job_id: str, attempt: int) -> PartitionFailed | None:
        """Why this attempt got no booking; ``None`` where that was not what ended it."""
        job = self._jobs.get(job_id)
        return job.error if job is not None and job.attempt == attempt else None

    def avoid(self, job_id: str) -> frozenset[str]:
        """The workers that the job is to go to last."""
        job = self._jobs.get(job_id)
        return frozenset(job.workers) if job is not None else frozenset()

    def waits(self, job_id: str) -> bool:
        """Whether the job has failed somewhere, and so does not wait without end for a worker to come."""
        return job_id in self._jobs

    def left_s(self, job_id: str, anybody: bool, patience_s: float) -> float:
        """Seconds that the job waits on where nobody can take it; ``anybody`` says that somebody could.

        0 where its time is over.
        """
        job = self._jobs[job_id]
        if anybody:
            job.nobody_since = None
            return patience_s
        if job.nobody_since is None:
            job.nobody_since = self._clock()
        return max(0.0, job.nobody_since + patience_s - self._clock())

    def last_error(self, job_id: str) -> PartitionFailed:
        """Why the job's newest booking has failed."""
        error = self._jobs[job_id].error
        assert error is not None
        return error

    def in_order(self, worker: str) -> list[str]:
        """This worker was looked at and is fine; the jobs that need not avoid it any more."""
        before = self._clock() - _FORGIVEN_S
        forgiven = [
            job_id for job_id, job in self._jobs.items() if job.workers.get(worker, before + 1) <= before
        ]
        for job_id in forgiven:
            del self._jobs[job_id].workers[worker]
        return forgiven

    def forget(self, job_id: str) -> None:
        """The job has ended, or a runner has claimed it."""
        self._jobs.pop(job_id, None)
