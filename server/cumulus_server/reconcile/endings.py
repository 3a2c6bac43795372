"""How an attempt ends that did not end by its runner's own report. Store functions of the loop."""

from __future__ import annotations

import json
from collections.abc import Callable

from cumulus_jupyter.protocol.errors import CumulusError, Unavailable
from cumulus_jupyter.protocol.jobs import CANCELLED, CREATING_PARTITION, FAILED, QUEUED, RUNNING, SCHEDULING

from ..partitions.base import PartitionFailed
from ..store import JobRow, Transaction, events, jobs

#: Attempts that may fail before a runner has claimed them; those are not the user's retries.
START_TRIES = 3
#: States in which an instance is there, or about to be.
LIVE = frozenset({SCHEDULING, CREATING_PARTITION, RUNNING})
_LAST_WORDS = 400
_AGAIN = "Run it again; --retries N does so by itself."


def lost(reason: str, start_failures: int, next: str = "") -> Callable[[Transaction, JobRow], JobRow]:
    """The end of an attempt whose runner is gone: again where a retry is left, else FAILED.

    ``start_failures`` counts the attempts of this job that no runner claimed, this one included;
    ``next`` is what to do about the reason, where running it again does not help.
    """

    def end(tx: Transaction, job: JobRow) -> JobRow:
        if not job.claimed:
            again = start_failures < START_TRIES
            what = f"The runner could not be started: {reason}"
        else:
            again = _claimed_attempts(tx, job) <= job.spec.retries
            what = f"The job's runner was lost: {reason}"
        if job.target == "COMPLETED" and again:
            return jobs.transition(tx, job.id, QUEUED, message=f"{what}; trying again").job
        words = _last_words(tx, job)
        if words:
            what += f". Its last output: {words}"
        return to_target(Unavailable(what, next=next or _AGAIN))(tx, job)

    return end


def unbooked(
    error: PartitionFailed, worker: str, start_failures: int
) -> Callable[[Transaction, JobRow], JobRow]:
    """The end of an attempt that got no booking on ``worker``: another try where one is left, else FAILED."""

    def end(tx: Transaction, job: JobRow) -> JobRow:
        if job.target == "COMPLETED" and start_failures < START_TRIES:
            why = f"{worker}: {error.away or error.message}; trying again"
            return jobs.transition(tx, job.id, QUEUED, message=why).job
        return to_target(error)(tx, job)

    return end


def to_target(error: CumulusError) -> Callable[[Transaction, JobRow], JobRow]:
    """The end that a user or the loop asked for; FAILED with ``error`` where nobody asked for one."""

    def end(tx: Transaction, job: JobRow) -> JobRow:
        if job.target == CANCELLED:
            return jobs.transition(tx, job.id, CANCELLED, message="cancelled", error=job.target_error).job
        body = job.target_error if job.target == FAILED and job.target_error else error.to_wire()
        return jobs.transition(tx, job.id, FAILED, message=str(body["message"]), error=body).job

    return end


def of_attempt(
    job_id: str, attempt: int, end: Callable[[Transaction, JobRow], JobRow], *, unclaimed: bool = False
) -> Callable[[Transaction], JobRow]:
    """``end``, unless this attempt is not the live one any more; ``unclaimed``: or has a runner by now."""

    def run(tx: Transaction) -> JobRow:
        job = jobs.get(tx, job_id)
        live = job.attempt == attempt and job.status in LIVE
        return end(tx, job) if live and not (unclaimed and job.claimed) else job

    return run


def of_queued(job_id: str, end: Callable[[Transaction, JobRow], JobRow]) -> Callable[[Transaction], JobRow]:
    """``end``, unless the job does not wait any more."""

    def run(tx: Transaction) -> JobRow:
        job = jobs.get(tx, job_id)
        return end(tx, job) if job.status == QUEUED else job

    return run


def _claimed_attempts(tx: Transaction, job: JobRow) -> int:
    states = (json.loads(event.body) for event in events.of_type_after(tx, job.number, 0, "state", 10_000))
    return len({state["attempt"] for state in states if state["state"] == "RUNNING"})


def _last_words(tx: Transaction, job: JobRow) -> str:
    event = events.newest_of_type(tx, job.number, "log")
    if event is None:
        return ""
    text = str(json.loads(event.body)["text"]).strip()
    return text if len(text) <= _LAST_WORDS else "…" + text[-_LAST_WORDS:]
