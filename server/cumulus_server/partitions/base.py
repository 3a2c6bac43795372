"""The contract between the reconcile loop and whatever holds GPU shares on a worker.

A *booking* is what a partition system gave for one attempt, as versioned JSON. Releasing one that is
gone succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cumulus_jupyter.protocol.errors import CumulusError

from ..scheduling.model import Device, Share

__all__ = ["Booking", "BookingRequest", "Partition", "PartitionFailed"]

#: What is needed to release a share again, as JSON; it has "version" and "partition".
Booking = dict[str, Any]


class PartitionFailed(CumulusError):
    """The GPU share could not be booked on the worker."""

    code = "UNAVAILABLE"
    status = 503


@dataclass(frozen=True)
class BookingRequest:
    """The shares of one attempt, all on one worker."""

    job_id: str
    attempt: int
    worker: str
    shares: Sequence[Share]
    devices: Sequence[Device]
    duration_s: int


class Partition(Protocol):
    """Books shares. Called by the reconcile loop only."""

    #: Its name in bookings.
    name: str

    def instant(self, request: BookingRequest) -> Booking | None:
        """The booking where making one needs nobody else, so that no time is spent on it; else ``None``.

        Pure.
        """

    async def create(self, request: BookingRequest) -> Booking:
        """Book the shares. Raises ``PartitionFailed``; then nothing is booked."""

    async def release(self, worker: str, job_id: str, attempt: int, booking: Booking | None) -> None:
        """Give back what the attempt has; ``booking`` is ``None`` where a ``create`` was cut off."""

    async def list(self, worker: str) -> list[Booking]:
        """What this relay has booked on the worker."""

    def environment(self, booking: Booking) -> Mapping[str, str]:
        """What the runner's environment needs for the share to hold."""

    def mounts(self, booking: Booking) -> Sequence[tuple[str, str]]:
        """Folders of the worker that a container must see for the share to hold, as (there, inside)."""

    def enforced_by(self, booking: Booking) -> str:
        """What holds the job to its share: "mps", "mig", "framework" or "none"."""
