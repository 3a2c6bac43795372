"""How many jobs have not ended, kept up by the events themselves."""

from __future__ import annotations

from collections.abc import Sequence

from ..store import StoredEvent, Transaction, attempts


class Census:
    """Lives on the event loop; the server asks it whether it may go to sleep."""

    def __init__(self) -> None:
        self.active = 0

    @staticmethod
    def read(tx: Transaction) -> int:
        """Jobs in the store that have not ended."""
        return sum(not job.ended for job in attempts.load_unfinished(tx))

    def count(self, events: Sequence[StoredEvent]) -> None:
        """Take note of committed events."""
        for event in events:
            if event.seq == 1:
                self.active += 1
            elif event.ends:
                self.active -= 1
