"""From a submission to what the scheduler needs to know of it."""

from __future__ import annotations

from cumulus_jupyter.protocol.jobs import JobSpec
from cumulus_jupyter.protocol.resources import gpu_memory_need_mib

from .model import Ask


def ask_of(
    spec: JobSpec,
    job_id: str = "",
    number: int = 0,
    created_ms: int = 0,
    *,
    avoid: frozenset[str] = frozenset(),
) -> Ask:
    """What a specification asks of a worker; ``avoid`` are the workers to be tried last.

    Which Python an image has is known only once it runs, so that is checked when its runner claims.
    """
    memory = {need: gpu_memory_need_mib(need) for need in spec.needs}
    needs = frozenset(need for need, mib in memory.items() if mib is None)
    return Ask(
        job_id=job_id,
        tenths=spec.resources.gpu_tenths,
        cpu=spec.resources.cpu or 0.0,
        memory_mib=spec.resources.memory_mib or 0,
        duration_s=spec.resources.duration_s,
        executor=spec.executor,
        python=spec.python if spec.python_exact and not spec.image else "",
        needs=needs | ({"images"} if spec.image else frozenset()),
        gpu_memory_mib=max((mib for mib in memory.values() if mib), default=0),
        avoid=avoid,
        priority=spec.priority,
        number=number,
        created_ms=created_ms,
    )
