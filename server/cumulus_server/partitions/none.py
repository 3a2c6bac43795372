"""No partition: the lease in the store is the only booking there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .base import Booking, BookingRequest, Entry, Tell, silent
from .holding import NO_DEVICES, NONE, hold

__all__ = ["NO_DEVICES", "NoPartition"]


class NoPartition:
    """See ``partitions.base.Partition`` for the methods."""

    name = "none"

    def instant(self, request: BookingRequest) -> Booking | None:
        """What is given to the job, in full: the devices may be described otherwise later."""
        held = hold(request.shares, request.devices)
        given = {
            "env": dict(held.env),
            "mounts": [list(each) for each in held.mounts],
            "by": held.enforced_by,
        }
        return {"version": 2, "partition": self.name, "given": given}

    async def create(self, request: BookingRequest, tell: Tell = silent) -> Booking:
        """As ``instant``."""
        booking = self.instant(request)
        assert booking is not None
        return booking

    async def keep(self, job_id: str, attempt: int, booking: Booking, duration_s: int) -> Booking:
        """It is as it was."""
        return booking

    async def release(self, node: str, job_id: str, attempt: int, booking: Booking | None) -> None:
        """Nothing is held."""

    async def list(self, node: str) -> Sequence[Entry]:
        """Nothing is held."""
        return []

    async def drop(self, node: str, entry: Entry) -> None:
        """Nothing is held."""

    def environment(self, booking: Booking) -> Mapping[str, str]:
        """What shows the job its devices, and what limits it where something does."""
        env: Mapping[str, str] = _given(booking)["env"]
        return env

    def mounts(self, booking: Booking) -> Sequence[tuple[str, str]]:
        """The folders of the worker's MPS daemon, where that holds the share."""
        return [(there, inside) for there, inside in _given(booking)["mounts"]]

    def enforced_by(self, booking: Booking) -> str:
        """What ``holding`` says."""
        return str(_given(booking)["by"])


def _given(booking: Booking) -> Mapping[str, Any]:
    """What the job was given. Bookings of the first version told the devices to be seen only."""
    if booking["version"] == 1:
        return {"env": {"CUDA_VISIBLE_DEVICES": ",".join(booking["visible"])}, "mounts": [], "by": NONE}
    given: Mapping[str, Any] = booking["given"]
    return given
