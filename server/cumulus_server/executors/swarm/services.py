"""The service for one attempt, as Swarm's API wants it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..containers.environments import ROLE as ENVIRONMENT
from ..containers.plan import ASSIGNMENT, CA_BUNDLE, ENVIRONMENTS, LUGGAGE, RELAY, ROLE, ContainerPlan

#: The label that keeps the image's name where it is given by its id.
IMAGE = "io.cumulus.image"
#: Seconds between the end of the job's grace and SIGKILL: for the runner to report and leave.
_LEAVING_S = 2.0
_NS = 1_000_000_000
_SHM = "/dev/shm"
#: What an instance writes is for ``explain`` only.
_LOG = {"Name": "json-file", "Options": {"max-size": "1m", "max-file": "1"}}


@dataclass(frozen=True)
class File:
    """A Swarm secret or config by its two names."""

    id: str
    name: str


def service(
    plan: ContainerPlan,
    node: str,
    *,
    secret: File,
    luggage: File,
    ca_bundle: File | None = None,
    environments: str = "",
    image: str = "",
) -> dict[str, Any]:
    """The service of ``plan``, pinned to the node with this id.

    ``secret`` holds the assignment. ``environments`` is the volume of the dependency environments, mounted
    where the plan asks for it, and ``image`` what to call the image instead of its name.
    """
    configs = [_config(luggage, LUGGAGE)]
    if ca_bundle is not None:
        configs.append(_config(ca_bundle, CA_BUNDLE))
    uid, gid = plan.user
    container = {
        "Image": image or plan.image,
        "Command": list(plan.command),
        "Labels": {**plan.labels, IMAGE: plan.image},
        "Env": [f"{name}={value}" for name, value in plan.environment.items()],
        "Dir": "/tmp",
        "User": f"{uid}:{gid}",
        "Init": True,
        "ReadOnly": True,
        "CapabilityDrop": ["ALL"],
        "Privileges": {"NoNewPrivileges": True},
        "Healthcheck": {"Test": ["NONE"]},
        "StopGracePeriod": int((plan.grace_s + _LEAVING_S) * _NS),
        "Mounts": _mounts(plan, environments),
        "Secrets": [
            {
                "SecretID": secret.id,
                "SecretName": secret.name,
                "File": {"Name": ASSIGNMENT, "UID": str(uid), "GID": str(gid), "Mode": 0o400},
            }
        ],
        "Configs": configs,
    }
    limits = {"MemoryBytes": plan.memory_bytes, "NanoCPUs": plan.nano_cpus, "Pids": plan.pids}
    reservations = {"MemoryBytes": plan.reserved_memory_bytes, "NanoCPUs": plan.reserved_nano_cpus}
    return {
        "Name": plan.name,
        "Labels": dict(plan.labels),
        "TaskTemplate": {
            "ContainerSpec": container,
            "Resources": {"Limits": limits, "Reservations": reservations},
            "RestartPolicy": {"Condition": "none", "MaxAttempts": 0},
            "Placement": {"Constraints": [f"node.id=={node}"]},
            "LogDriver": _LOG,
        },
        "Mode": {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}},
    }


def by_name(spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """The service with its image by name; ``None`` where it has it so already."""
    template = dict(spec["TaskTemplate"])
    container = dict(template["ContainerSpec"])
    name = (container.get("Labels") or {}).get(IMAGE, "")
    if name in ("", container["Image"]):
        return None
    container["Image"] = name
    return {**spec, "TaskTemplate": {**template, "ContainerSpec": container}}


def _mounts(plan: ContainerPlan, environments: str) -> list[dict[str, Any]]:
    marks = {RELAY: plan.labels[RELAY], ROLE: ENVIRONMENT}
    shared = {"Type": "volume", "Source": environments, "VolumeOptions": {"Labels": marks}}
    # Without a source it is anonymous: made for this container, and removed with it.
    own = {"Type": "volume", "VolumeOptions": {"Labels": dict(plan.labels)}}
    mounts: list[dict[str, Any]] = [{**(shared if plan.builder else own), "Target": "/tmp"}]
    folders = {inside: there for there, inside in plan.folders}
    # To be written as well: a client of MPS opens pipes and shared memory.
    mounts += [{"Type": "bind", "Source": folders[inside], "Target": inside} for inside in folders]
    if plan.shm_bytes and _SHM not in folders:
        options = {"SizeBytes": plan.shm_bytes, "Mode": 0o1777}
        mounts.append({"Type": "tmpfs", "Target": _SHM, "TmpfsOptions": options})
    if plan.builder or plan.environments:
        mounts.append({**shared, "Target": ENVIRONMENTS, "ReadOnly": not plan.builder})
    return mounts


def _config(file: File, path: str) -> dict[str, Any]:
    return {
        "ConfigID": file.id,
        "ConfigName": file.name,
        "File": {"Name": path, "UID": "0", "GID": "0", "Mode": 0o444},
    }
