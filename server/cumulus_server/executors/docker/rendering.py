"""A planned container in the words of the engine's API. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..containers import plan as inside
from ..containers.plan import ContainerPlan

#: How an engine gives NVIDIA devices to a container.
NVIDIA_RUNTIME, CDI = "nvidia", "cdi"


@dataclass(frozen=True)
class Sources:
    """What of the machine is mounted into a container."""

    assignment: str
    luggage: str
    #: Empty for none.
    ca_bundle: str
    #: Name of the volume.
    environments: str


def container(plan: ContainerPlan, sources: Sources, gpus_by: str = NVIDIA_RUNTIME) -> dict[str, Any]:
    """The body of ``POST /containers/create``."""
    return {
        "Image": plan.image,
        "Entrypoint": list(plan.command),
        "Cmd": [],
        "User": f"{plan.user[0]}:{plan.user[1]}",
        "WorkingDir": "/tmp",
        "Env": [f"{name}={value}" for name, value in plan.environment.items()],
        "Labels": dict(plan.labels),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "Memory": plan.memory_bytes,
            "MemorySwap": plan.memory_bytes,  # both together: no swap
            "NanoCpus": plan.nano_cpus,
            "PidsLimit": plan.pids,
            "ShmSize": min(plan.shm_bytes, plan.memory_bytes),
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "Init": True,
            "NetworkMode": "bridge",
            "IpcMode": "private",
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            "Mounts": _mounts(plan, sources),
            "DeviceRequests": _devices(plan.gpus, gpus_by),
        },
    }


def _mounts(plan: ContainerPlan, sources: Sources) -> list[dict[str, Any]]:
    mounts = [
        _bind(sources.luggage, inside.LUGGAGE),
        _bind(sources.assignment, inside.ASSIGNMENT),
    ]
    if sources.ca_bundle:
        mounts.append(_bind(sources.ca_bundle, inside.CA_BUNDLE))
    shared = {"Type": "volume", "Source": sources.environments}
    if plan.builder:
        mounts += [{**shared, "Target": "/tmp"}, {**shared, "Target": inside.ENVIRONMENTS}]
    else:
        mounts.append({"Type": "volume", "Target": "/tmp"})
        if plan.environments:
            mounts.append({**shared, "Target": inside.ENVIRONMENTS, "ReadOnly": True})
    # To be written as well: a client of MPS opens pipes and shared memory.
    mounts += [{**_bind(there, target), "ReadOnly": False} for there, target in plan.folders]
    return mounts


def _bind(source: str, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}


def _devices(gpus: Sequence[str], by: str) -> list[dict[str, Any]]:
    if not gpus:
        return []
    if by == CDI:
        return [{"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={gpu}" for gpu in gpus]}]
    return [{"Driver": "nvidia", "DeviceIDs": list(gpus), "Capabilities": [["gpu", "compute", "utility"]]}]
