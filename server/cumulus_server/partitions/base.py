"""The contract between the reconcile loop and whatever holds GPU shares on a worker.

A *booking* is what a partition system gave for one attempt, as versioned JSON. Releasing one that is
gone succeeds.

A *node* is what a worker is to its platform, and what a partition system is reached by: names of
workers may change, a node's id does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cumulus_jupyter.protocol.errors import CumulusError, Unavailable

from ..scheduling.model import Device, Share

__all__ = [
    "Booking",
    "BookingRequest",
    "Entry",
    "Partition",
    "PartitionAway",
    "PartitionFailed",
    "Tell",
    "silent",
]

#: What is needed to release a share again, as JSON; it has "version" and "partition".
Booking = dict[str, Any]

#: Takes words about what is being waited for, to show them to the job's user.
Tell = Callable[[str], None]


def silent(said: str) -> None:
    """Tells nobody."""


class PartitionFailed(CumulusError):
    """The GPU share could not be booked on the worker."""

    code = "INTERNAL"
    status = 500

    def __init__(self, message: str | None = None, *, next: str = "", away: str = "") -> None:
        super().__init__(message, next=next)
        #: Why nothing can be booked there now, whatever is asked for; empty where this was refused.
        self.away = away
        if away:
            self.code, self.status = "UNAVAILABLE", 503


class PartitionAway(Unavailable):
    """The worker's partition system cannot be asked now.

    It says nothing about what is booked there: what was asked for may have been done.
    """


@dataclass(frozen=True)
class BookingRequest:
    """The shares of one attempt, all on one worker."""

    job_id: str
    attempt: int
    worker: str
    shares: Sequence[Share]
    devices: Sequence[Device]
    duration_s: int
    #: The worker's node; empty where it has none.
    node: str = ""


@dataclass(frozen=True)
class Entry:
    """One share that a node holds for this relay, as the node tells it."""

    id: str
    #: Empty and 0 where the node does not tell whose it is.
    job_id: str
    attempt: int
    #: Number of the device on the node.
    index: int
    tenths: int
    #: Seconds until the node gives it back by itself.
    remaining_s: float


class Partition(Protocol):
    """Books shares. Called by the reconcile loop only."""

    #: Its name in bookings.
    name: str

    def instant(self, request: BookingRequest) -> Booking | None:
        """The booking where making one needs nobody else, so that no time is spent on it; else ``None``.

        Pure.
        """

    async def create(self, request: BookingRequest, tell: Tell = silent) -> Booking:
        """Book the shares. Raises ``PartitionFailed``; what little was booked then is released or a stray.

        Asking twice for one attempt gives the same booking. ``tell`` is called with what is waited for.
        """

    async def keep(self, job_id: str, attempt: int, booking: Booking, duration_s: int) -> Booking:
        """Book again what the node has lost of a booking, and hold all of it for so long from now.

        Tried once. Raises ``PartitionFailed`` and ``PartitionAway``.
        """

    async def release(self, node: str, job_id: str, attempt: int, booking: Booking | None) -> None:
        """Give back what the attempt has; ``booking`` is ``None`` where a ``create`` was cut off.

        Raises ``PartitionAway``; then it is to be asked again, or left to whoever looks for strays.
        """

    async def list(self, node: str) -> Sequence[Entry] | None:
        """What the node holds for this relay; ``None`` where it cannot tell. Raises ``PartitionAway``."""

    async def drop(self, node: str, entry: Entry) -> None:
        """Release a stray; one that is gone is no error. Raises ``PartitionAway``."""

    def environment(self, booking: Booking) -> Mapping[str, str]:
        """What the runner's environment needs for the share to hold."""

    def mounts(self, booking: Booking) -> Sequence[tuple[str, str]]:
        """Folders of the worker that a container must see for the share to hold, as (there, inside)."""

    def enforced_by(self, booking: Booking) -> str:
        """What holds the job to its share: "mps", "mig", "framework" or "none"."""
