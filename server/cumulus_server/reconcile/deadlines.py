"""When an attempt that says nothing counts as lost, too late, or not willing to stop. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cumulus_jupyter.protocol.errors import DeadlineExceeded


@dataclass(frozen=True)
class Patience:
    """How long the loop waits for others, in seconds."""

    #: After the job's own duration, for its runner to end it and say so.
    overtime_s: float = 30.0
    #: Between KeyboardInterrupt and the end of a cancelled job's code.
    grace_s: float = 5.0
    #: For a runner that was told to cancel over its control stream, before it is told otherwise.
    told_s: float = 1.0
    #: The same where no control stream was there.
    untold_s: float = 0.2
    #: After the grace, for the runner to report the end, before it is destroyed.
    report_s: float = 5.0
    #: For one call of an executor or a partition.
    call_s: float = 120.0
    #: For the release of what is booked on a worker; what takes longer is left to the next look there.
    release_s: float = 5.0
    #: That a job whose booking has failed waits for a worker that could take it to come up.
    nobody_s: float = 30.0
    #: Between two sweeps for strays and changes of the workers.
    sweep_s: float = 30.0
    #: A job that waits less is not told its place in the line.
    announce_s: float = 0.5


@dataclass
class Watch:
    """What the loop remembers of a live attempt; times are the event loop's clock."""

    attempt: int
    since: float
    running_since: float | None = None
    cancel_since: float | None = None
    told: bool = False
    stopped: bool = False


def until_overdue(watch: Watch, duration_s: float, patience: Patience, now: float) -> float:
    """Seconds until a running job has outlived its duration and its runner has not ended it."""
    begun = watch.running_since if watch.running_since is not None else watch.since
    return begun + duration_s + patience.overtime_s - now


def until_stop(watch: Watch, patience: Patience, now: float) -> float:
    """Seconds until a cancelled job's instance is told to stop."""
    assert watch.cancel_since is not None
    return watch.cancel_since + (patience.told_s if watch.told else patience.untold_s) - now


def until_destroyed(watch: Watch, patience: Patience, now: float) -> float:
    """Seconds until a cancelled job's instance is destroyed."""
    assert watch.cancel_since is not None
    return watch.cancel_since + patience.told_s + patience.grace_s + patience.report_s - now


def overdue(job_id: str, duration_s: int) -> DeadlineExceeded:
    """What the job is told that outlived its duration."""
    return DeadlineExceeded(
        f"Job exceeded allocated duration of {duration_s} seconds",
        next="Give it longer with --duration.",
        job_id=job_id,
    )
