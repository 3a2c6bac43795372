"""Devices and how they are divided, which can't be changed once they are in use."""

from __future__ import annotations

from dataclasses import dataclass

from .python.eager import context

divided: dict[str, list[LogicalDeviceConfiguration]] = {}


@dataclass
class LogicalDeviceConfiguration:
    """One part of a device."""

    memory_limit: int


def list_physical_devices(kind: str) -> list[str]:
    """The devices of a kind."""
    return ["/physical_device:GPU:0"] if kind == "GPU" else []


def get_logical_device_configuration(device: str) -> list[LogicalDeviceConfiguration] | None:
    """How a device is divided."""
    return divided.get(device)


def set_logical_device_configuration(device: str, parts: list[LogicalDeviceConfiguration]) -> None:
    """Divide a device."""
    if context.context.initialized:
        raise RuntimeError("Virtual devices cannot be modified after being initialized")
    divided[device] = parts
