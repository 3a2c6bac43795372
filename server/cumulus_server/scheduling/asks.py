"""From a submission to what the scheduler needs to know of it."""

from __future__ import annotations

from cumulus_jupyter.protocol.jobs import JobSpec

from .model import Ask


def ask_of(spec: JobSpec, job_id: str = "", number: int = 0) -> Ask:
    """What a specification asks of a worker."""
    return Ask(
        job_id=job_id,
        tenths=spec.resources.gpu_tenths,
        memory_mib=spec.resources.memory_mib or 0,
        duration_s=spec.resources.duration_s,
        executor=spec.executor,
        python=spec.python if spec.python_exact else "",
        needs=frozenset({"images"}) if spec.image else frozenset(),
        number=number,
    )
