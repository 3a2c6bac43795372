"""No partition: the job sees its devices and no others, and nothing holds it to its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .base import Booking, BookingRequest

#: Tells CUDA that there is no device.
NO_DEVICES = {"CUDA_VISIBLE_DEVICES": ""}


class NoPartition:
    """See ``partitions.base.Partition`` for the methods."""

    name = "none"

    def instant(self, request: BookingRequest) -> Booking | None:
        """The lease in the store is all there is."""
        real = {device.id for device in request.devices if not device.simulated}
        return {
            "version": 1,
            "partition": self.name,
            "visible": [share.device for share in request.shares if share.device in real],
        }

    async def create(self, request: BookingRequest) -> Booking:
        """As ``instant``."""
        booking = self.instant(request)
        assert booking is not None
        return booking

    async def release(self, worker: str, job_id: str, attempt: int, booking: Booking | None) -> None:
        """Nothing is held."""

    async def list(self, worker: str) -> list[Booking]:
        """Nothing is held."""
        return []

    def environment(self, booking: Booking) -> Mapping[str, str]:
        """Real devices by their id; simulated ones cannot be seen by CUDA."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(booking["visible"])}

    def mounts(self, booking: Booking) -> Sequence[tuple[str, str]]:
        """None."""
        return ()

    def enforced_by(self, booking: Booking) -> str:
        """Nothing."""
        return "none"
