"""The devices of a worker, as bookings name them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Device:
    """One GPU, a MIG slice of one, or what OpenCL has instead."""

    index: int
    uuid: str
    name: str = ""
    memory_mib: int = 0
    #: "9.0" for NVIDIA's.
    compute: str = ""
    #: nvidia or opencl
    kind: str = "opencl"
    mig: bool = False


class BadDevices(Exception):
    """A list of devices that is none; the message says what is wrong."""


def read(text: str) -> tuple[Device, ...]:
    """The devices of a JSON list, as probe writes it; what is left out has its default."""
    try:
        return listed(json.loads(text))
    except ValueError as error:
        raise BadDevices(f"not a JSON list of devices: {error}") from None


def listed(entries: Any) -> tuple[Device, ...]:
    """The devices of a list that was read. Raises ``BadDevices``."""
    try:
        devices = tuple(_device(position, entry) for position, entry in enumerate(entries))
    except (TypeError, AttributeError) as error:
        raise BadDevices(f"not a JSON list of devices: {error}") from None
    for names in ([d.index for d in devices], [d.uuid for d in devices]):
        if len(set(names)) < len(names):
            raise BadDevices(f"two devices have the same name: {names}")
    return devices


def _device(position: int, entry: dict[str, Any]) -> Device:
    known = {name: entry[name] for name in Device.__dataclass_fields__ if name in entry}
    index = known.setdefault("index", position)
    known.setdefault("uuid", f"DEVICE-{index}")
    for name, value in known.items():
        expected = {"index": int, "memory_mib": int, "mig": bool}.get(name, str)
        if type(value) is not expected:
            raise TypeError(f"{name} is {value!r}, not of type {expected.__name__}")
    return Device(**known)
