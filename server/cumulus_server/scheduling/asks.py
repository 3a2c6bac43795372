"""From a submission to what the scheduler needs to know of it."""

from __future__ import annotations

from cumulus_jupyter.protocol.jobs import JobSpec

from .model import Ask


def ask_of(spec: JobSpec, job_id: str = "", number: int = 0) -> Ask:
    """What a specification asks of a worker.

    Which Python an image has is known only once it runs, so that is checked when its runner claims.
    """
    needs = frozenset(spec.needs) | ({"images"} if spec.image else frozenset())
    return Ask(
        job_id=job_id,
        tenths=spec.resources.gpu_tenths,
        cpu=spec.resources.cpu or 0.0,
        memory_mib=spec.resources.memory_mib or 0,
        duration_s=spec.resources.duration_s,
        executor=spec.executor,
        python=spec.python if spec.python_exact and not spec.image else "",
        needs=needs,
        number=number,
    )
