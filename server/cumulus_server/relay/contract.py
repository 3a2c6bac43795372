"""What submissions and runs need of the rest of the relay. Implemented in ``reconcile`` and ``workers``."""

from __future__ import annotations

from typing import Protocol

from cumulus_jupyter.protocol.jobs import JobSpec, WorkerView


class Placement(Protocol):
    """What submissions ask about the workers."""

    async def check(self, spec: JobSpec) -> None:
        """Raise the ``CumulusError`` to answer with where no worker could ever hold the job, or none now
        and ``spec.wait`` is false. Waits only where it would refuse what an executor may yet offer that
        has not had its first look at its workers."""

    def workers(self) -> list[WorkerView]:
        """All workers as they are now."""

    def pythons(self) -> list[str]:
        """Python minor versions jobs can have; the default first."""

    def executors(self) -> list[str]:
        """Names of the executors, for ``/health`` and for checking a submission's own."""

    def real_gpus(self) -> bool:
        """True where the local worker has GPUs of its own, so that none are simulated."""

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs on the local worker, from now on."""


class Waker(Protocol):
    """What submissions and runs tell the reconcile loop."""

    def wake(self, job_id: str) -> None:
        """Look at this job now: it is new, its target changed, it was claimed, or it ended."""


class Control(Protocol):
    """What the reconcile loop asks of the hub."""

    def control(self, job_id: str, command: str) -> bool:
        """Push ``command`` ("cancel") to the runner of this job; False where none is connected."""
