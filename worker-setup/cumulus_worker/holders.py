"""What holds bookings besides the ledger."""

from __future__ import annotations

from cumulus_worker.ledger_file import Booking


class NoHolder:
    """Nothing does: the ledger alone."""

    name = "ledger"

    def hold(self, booking: Booking, seconds: int) -> None:
        """Nothing to do."""

    def drop(self, booking: Booking) -> None:
        """Nothing to do."""
