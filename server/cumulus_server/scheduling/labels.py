"""The devices of a worker as labels of its node, and back. Pure.

Labels are how a Swarm keeps what was found on a worker: they are written once, when it is enrolled, and read
at every look at the nodes. Who enrols a worker adds ``CHRONOS`` and ``SSH_ADDRESS`` to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .model import Device

#: "true" where shares are booked on the worker by its own tool.
CHRONOS = "chronos.installed"
#: Where that tool is reached.
SSH_ADDRESS = "ssh.address"

_PREFIXES = ("gpu.", "cuda.", "driver.", "mps.", "chronos.", "ssh.")

_COUNT, _CUDA, _DRIVER, _MPS = "gpu.count", "cuda.version", "driver.version", "mps.pipe"
#: More than one machine has: a wrong label must not cost a minute.
_MOST = 1024
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True)
class _Field:
    """One label of a device, and where a probe tells it."""

    label: str
    probe: str


_FIELDS = (
    _Field("name", "name"),
    _Field("memory", "memory_mib"),
    _Field("uuid", "uuid"),
    _Field("compute", "compute"),
    _Field("kind", "kind"),
    _Field("index", "index"),
)


def labels_of(probe: Mapping[str, Any]) -> dict[str, str]:
    """The labels that say what a worker's ``probe`` has found. What is not known has no label."""
    devices = list(probe.get("devices") or ())
    labels = {_COUNT: str(len(devices))}
    for at, device in enumerate(devices):
        for field in _FIELDS:
            value = device.get(field.probe)
            if field.label == "index" and value == at:
                continue  # as is to be expected
            if value not in (None, ""):
                labels[f"gpu.{at}.{field.label}"] = str(value)
    mps = probe.get("mps") or {}
    told = {
        _CUDA: probe.get("cuda"),
        _DRIVER: probe.get("driver"),
        _MPS: mps.get("pipe") if mps.get("running") else "",
    }
    labels.update({name: str(value) for name, value in told.items() if value})
    return labels


def is_ours(name: str) -> bool:
    """Whether a label of this name says what was found on the worker, and was not written by a person.

    Such labels are replaced as a whole when a worker is labelled again.
    """
    return name.startswith(_PREFIXES)


def devices_of(labels: Mapping[str, str]) -> tuple[Device, ...]:
    """The devices that a node's labels tell of, in the worker's order; none where they make no sense."""
    count = min(_number(labels.get(_COUNT, "")), _MOST)
    found = [_device(labels, at) for at in range(count)]
    # One that is told of twice is still one.
    return tuple({device.id: device for device in reversed(found)}.values())[::-1]


def capabilities_of(name: str, compute: str = "", cuda: str = "") -> frozenset[str]:
    """What a device offers to jobs that ask for it by name.

    ``compute`` is its compute capability, such as "9.0", and ``cuda`` the newest CUDA that its driver
    takes, such as "12.4".
    """
    offered = {"gpu"}
    if compute:
        offered.add("sm_" + compute.replace(".", ""))
    if cuda:
        offered |= {f"cuda-{cuda}", f"cuda-{cuda.partition('.')[0]}"}
    if name:
        offered.add("gpu-name:" + _BLANK.sub("-", name.strip()))
    return frozenset(offered)


def _device(labels: Mapping[str, str], at: int) -> Device:
    told = {field.label: labels.get(f"gpu.{at}.{field.label}", "") for field in _FIELDS}
    index = _number(told["index"]) if told["index"] else at
    # Of labels that a person has written by hand, the id is what is missing first.
    id = told["uuid"] or f"gpu-{index}"
    nvidia = told["kind"] in ("", "nvidia")
    return Device(
        id=id,
        name=told["name"] or ("NVIDIA GPU" if nvidia else "GPU"),
        memory_mib=_number(told["memory"]),
        index=index,
        kind=told["kind"] or ("nvidia" if id.startswith(("GPU-", "MIG-")) else ""),
        capabilities=capabilities_of(told["name"], told["compute"], labels.get(_CUDA, "") if nvidia else ""),
        mps_pipe=labels.get(_MPS, "") if nvidia else "",
    )


def _number(text: str) -> int:
    """A count as a label has it; 0 for what is none."""
    try:
        return max(0, int(text))
    except ValueError:
        return 0
