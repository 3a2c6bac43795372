"""The GPUs that containers of an engine can have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..process.devices import nvidia_devices, simulated_devices, with_mps
from .rendering import CDI, NVIDIA_RUNTIME

__all__ = ["given_by", "nvidia_devices", "simulated_devices", "with_mps"]

#: What to do where the machine has GPUs and the engine can't give them away.
NO_WAY = (
    "The GPUs of this machine cannot be given to containers: install the NVIDIA Container Toolkit, "
    "run `nvidia-ctk runtime configure --runtime=docker`, and restart the Docker Engine."
)


def given_by(info: Mapping[str, Any]) -> str:
    """How the engine gives GPUs to containers, from what it says about itself; empty if it can't."""
    if any("nvidia" in str(name) for name in info.get("Runtimes") or {}):
        return NVIDIA_RUNTIME
    found = info.get("DiscoveredDevices") or ()
    return CDI if any("nvidia.com/gpu" in str(device.get("ID", "")) for device in found) else ""
