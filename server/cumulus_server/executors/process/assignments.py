"""What a runner process is told about its job."""

from __future__ import annotations

from cumulus_jupyter.protocol.channel import Assignment

from ..base import StartRequest
from .config import ProcessConfig


def assignment(request: StartRequest, workdir: str, config: ProcessConfig, by_line: bool) -> Assignment:
    """What the runner is told."""
    return Assignment(
        job_id=request.job_id,
        attempt=request.attempt,
        claim_token=request.claim_token,
        url=request.url,
        workdir=workdir,
        relay_file=request.relay_file,
        environments_dir=str(config.environments),
        env={**request.env, "CUMULUS_JOB_ID": request.job_id, "CUMULUS_ATTEMPT": str(request.attempt)},
        memory_mib=request.resources.memory_mib,
        cpu=request.resources.cpu,
        grace_s=config.grace_s,
        by_line=by_line,
        gpu_fraction=request.gpu_fraction,
        gpu_memory_mib=request.gpu_memory_mib,
    )
