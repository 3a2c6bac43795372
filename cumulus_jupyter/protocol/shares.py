"""Words for what holds a job to its share of a GPU, so that nobody believes in a wall that is not there.

What enforces a share is one of "mps", "mig", "framework" and "none"; empty where that is not known.
"""

from __future__ import annotations

from typing import Sequence

from .jobs import DeviceView

#: Tenths of a whole device.
_WHOLE = 10
_HELD = {
    "mps": "held by mps",
    "mig": "held by mig",
    "framework": "held by framework: torch, jax and tensorflow keep to it, other code need not",
    "none": "held by nothing: the share is a booking only",
}


def share_words(devices: Sequence[DeviceView], enforced_by: str) -> str:
    """What a job has and what holds it to that: "0.5 of NVIDIA H100, held by mps".

    Whole devices need no wall: nobody else has them. Empty for a job without devices.
    """
    return ", ".join(part for part in (_amounts(devices), held_words(devices, enforced_by)) if part)


def short_share_words(devices: Sequence[DeviceView], enforced_by: str) -> str:
    """As ``share_words``, for a line that has little room."""
    held = held_words(devices, enforced_by).partition(":")[0]
    return ", ".join(part for part in (_amounts(devices), held) if part)


def held_words(devices: Sequence[DeviceView], enforced_by: str) -> str:
    """The second half of that; empty where nothing needs to hold."""
    parted = any(_is_part(device) for device in devices)
    return _HELD.get(enforced_by, "") if parted or (devices and enforced_by == "mig") else ""


def device_name(device: DeviceView) -> str:
    """A GPU as people know it."""
    name = device.name or device.id
    return f"{name} (simulated)" if device.simulated and "simulated" not in name.lower() else name


def _amounts(devices: Sequence[DeviceView]) -> str:
    return ", ".join(_amount(device) for device in devices)


def _amount(device: DeviceView) -> str:
    part = f"{device.used_tenths / _WHOLE:g} of " if _is_part(device) else ""
    return part + device_name(device)


def _is_part(device: DeviceView) -> bool:
    return 0 < device.used_tenths < _WHOLE
