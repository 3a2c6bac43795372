"""A ledger in a test's folder, with a clock that the test moves."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from cumulus_worker.devices import Device
from cumulus_worker.ledger import Ledger
from cumulus_worker.ledger_file import Booking, LedgerFile, Record
from cumulus_worker.refusal import REFUSED, Refusal
from cumulus_worker.words import parse

DEVICES = (Device(0, "GPU-a", "A"), Device(1, "GPU-b", "B"))


class FakeClock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.boot_id = "boot-1"
        self.boot_ms = 5_000_000
        self.epoch_ms = 1_795_298_200_394

    def now_ms(self) -> int:
        return self.boot_ms

    def wall_ms(self) -> int:
        return self.epoch_ms

    def pass_s(self, seconds: float) -> None:
        self.boot_ms += int(seconds * 1000)
        self.epoch_ms += int(seconds * 1000)

    def start_again(self) -> None:
        """The host is started again: its clock begins anew."""
        self.boot_id += "+"
        self.boot_ms = 20_000


class FakeHolder:
    """Remembers what it holds; refuses where it is told to."""

    name = "fake"

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.refuses = False

    def hold(self, booking: Booking, seconds: int) -> None:
        if self.refuses:
            raise Refusal(REFUSED, "libfake says no", next="Ask it")
        self.held[booking.partition] = seconds

    def drop(self, booking: Booking) -> None:
        self.held.pop(booking.partition, None)


class FullFile(LedgerFile):
    """A file on a disk that may be full."""

    full = False

    def write(self, record: Record) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(record)


class Host:
    """One ledger, and how it is asked."""

    def __init__(self, folder: Path, devices: Sequence[Device] = DEVICES) -> None:
        self.clock = FakeClock()
        self.devices = devices
        self.file = FullFile(folder / "ledger.json")
        self.pid = 644
        self.start()

    def start(self) -> None:
        """As after a kill, or for the first time."""
        self.holder = FakeHolder()
        self.ledger = Ledger(self.file, self.clock, self.holder, pid=lambda: self.pid)
        self.ledger.open(self.devices)

    def create(self, line: str) -> Booking:
        return self.ledger.create(parse(["create", *line.split()]))

    def partitions(self, owner: str = "") -> list[str]:
        return [booking.partition for booking in self.ledger.bookings(owner)]
