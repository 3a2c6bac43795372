"""A container for one attempt, decided before anything is made. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from cumulus_jupyter.protocol.channel import Assignment

from ..base import Handle, StartRequest
from .settings import ContainerConfig

#: Labels of whatever is made.
RELAY, JOB, ATTEMPT, ROLE = "io.cumulus.relay", "io.cumulus.job", "io.cumulus.attempt", "io.cumulus.role"

#: Where things are inside.
INSIDE = "/run/cumulus"
LUGGAGE = f"{INSIDE}/runner.zip"
ASSIGNMENT = f"{INSIDE}/assignment.json"
CA_BUNDLE = f"{INSIDE}/ca.pem"
ENVIRONMENTS = f"{INSIDE}/environments"
WORKSPACE = "/tmp/workspace"
COMMAND = ("python3", LUGGAGE, "--assignment", ASSIGNMENT)

_MIB = 2**20
#: What an engine accepts at least.
_LEAST_MEMORY_MIB, _LEAST_CPU = 6, 0.01
#: Names under which tools look for certificates to trust.
_CA_NAMES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
#: What pip and uv call the same.
_UV_NAMES = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
}


@dataclass(frozen=True)
class ContainerPlan:
    """Everything about one attempt's container that does not depend on who makes it."""

    name: str
    image: str
    command: tuple[str, ...]
    labels: Mapping[str, str]
    #: User and group id.
    user: tuple[int, int]
    #: What everybody may see: no secrets here, these are in ``assignment``.
    environment: Mapping[str, str]
    memory_bytes: int
    nano_cpus: int
    pids: int
    #: What was asked for; 0 for nothing in particular.
    reserved_memory_bytes: int
    reserved_nano_cpus: int
    shm_bytes: int
    grace_s: float
    #: UUIDs of the NVIDIA devices it gets.
    gpus: tuple[str, ...]
    #: The content of the file ``ASSIGNMENT``; secret.
    assignment: bytes
    #: Whether the shared dependency environments are mounted at ``ENVIRONMENTS``, to be read.
    environments: bool = False
    #: Whether it makes them: the same volume is mounted there to be written, and at /tmp. A new volume
    #: takes owner and mode from the image's folder at its target, so it is as /tmp: everybody may write.
    builder: bool = False
    #: Folders of the worker that it sees, as (there, inside): what holds a share of a GPU needs some.
    folders: tuple[tuple[str, str], ...] = ()

    @property
    def memory_mib(self) -> int:
        """The memory limit."""
        return self.memory_bytes // _MIB


def plan(
    request: StartRequest,
    config: ContainerConfig,
    image: str,
    worker_memory_mib: int,
    worker_cpu: float,
    *,
    gpus: Sequence[str] = (),
    environments: bool = False,
) -> ContainerPlan:
    """The container for ``request`` with ``image``.

    ``gpus`` are NVIDIA's among the request's devices, by UUID. ``environments`` says that the shared
    dependency environments are there to be mounted.
    """
    asked = request.resources
    memory_mib = asked.memory_mib or config.memory_mib or worker_memory_mib
    memory_mib = max(_LEAST_MEMORY_MIB, memory_mib)
    cpu = max(_LEAST_CPU, asked.cpu or worker_cpu)
    return ContainerPlan(
        name=container_name(request.job_id, request.attempt),
        image=image,
        command=COMMAND,
        labels=labels(config.relay_id, request.job_id, request.attempt),
        user=config.job_user,
        environment=environment(gpus),
        memory_bytes=memory_mib * _MIB,
        nano_cpus=int(cpu * 1e9),
        pids=config.pids,
        reserved_memory_bytes=(asked.memory_mib or 0) * _MIB,
        reserved_nano_cpus=int((asked.cpu or 0) * 1e9),
        shm_bytes=config.shm_mib * _MIB,
        grace_s=config.grace_s,
        gpus=tuple(gpus),
        assignment=_assignment(request, config, memory_mib, asked.cpu, environments),
        environments=environments,
        folders=tuple((there, inside) for there, inside in request.mounts),
    )


def container_name(job_id: str, attempt: int) -> str:
    """What the attempt's container or service is called."""
    return f"cumulus-{job_id}-{attempt}"


def labels(relay_id: str, job_id: str, attempt: int, role: str = "job") -> dict[str, str]:
    """Labels by which it is found again, and told from what others have made."""
    return {RELAY: relay_id, JOB: job_id, ATTEMPT: str(attempt), ROLE: role}


def attempt_of(found: Mapping[str, str]) -> tuple[str, int] | None:
    """The job's id and the attempt in a set of labels; ``None`` where they are not a job's."""
    try:
        return (found[JOB], int(found[ATTEMPT])) if found.get(ROLE, "job") == "job" else None
    except (KeyError, ValueError):
        return None


def handle(executor: str, version: int, job_id: str, attempt: int) -> Handle:
    """What finds the attempt again: its labels are made from the same."""
    return {"version": version, "executor": executor, "job_id": job_id, "attempt": attempt}


def environment(gpus: Sequence[str]) -> dict[str, str]:
    """The container's own environment. An image made for GPUs would see all of them by default."""
    return {
        "HOME": "/tmp/home",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "NVIDIA_VISIBLE_DEVICES": ",".join(gpus) or "void",
    }


def job_environment(config: ContainerConfig) -> dict[str, str]:
    """What jobs and installers get beside what each job brings.

    What is said to pip is said to uv too, which the runner prefers where an image has it.
    """
    trusted = dict.fromkeys(_CA_NAMES, CA_BUNDLE) if config.ca_bundle else {}
    said = config.env
    translated = {uv: said[pip] for pip, uv in _UV_NAMES.items() if pip in said}
    if "UV_FIND_LINKS" in translated:
        translated["UV_FIND_LINKS"] = ",".join(translated["UV_FIND_LINKS"].split())
    if "UV_INDEX" in translated:
        translated["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does with several
    return {**trusted, **translated, **said}


def _assignment(
    request: StartRequest, config: ContainerConfig, memory_mib: int, cpu: float | None, environments: bool
) -> bytes:
    told = Assignment(
        job_id=request.job_id,
        attempt=request.attempt,
        claim_token=request.claim_token,
        url=request.url,
        workdir=WORKSPACE,
        environments_dir=ENVIRONMENTS if environments else "",
        env={
            **job_environment(config),
            **request.env,
            "CUMULUS_JOB_ID": request.job_id,
            "CUMULUS_ATTEMPT": str(request.attempt),
        },
        memory_mib=memory_mib,
        cpu=cpu,
        grace_s=config.grace_s,
        relay_certificate=request.certificate,
        contained=True,
        gpu_fraction=request.gpu_fraction,
        gpu_memory_mib=request.gpu_memory_mib,
    )
    return json.dumps(asdict(told)).encode()
