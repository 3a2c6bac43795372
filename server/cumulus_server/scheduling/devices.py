"""What can be said of devices by their kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from .model import Device


def is_nvidia(device: Device) -> bool:
    """Whether CUDA, and a container's runtime, can know it: by its UUID, which is its id."""
    return device.kind in ("", "nvidia") and not device.simulated


def nvidia_ids(devices: Iterable[Device], among: Iterable[str]) -> list[str]:
    """Those of the ids in ``among`` that are NVIDIA's, in that order."""
    known = {device.id for device in devices if is_nvidia(device)}
    return [id for id in among if id in known]
