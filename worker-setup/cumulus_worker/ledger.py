"""Who has booked what share of which device, until when: what it has not accepted is not booked."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from cumulus_worker.devices import Device
from cumulus_worker.ledger_file import Booking, LedgerFile, Record, Unreadable
from cumulus_worker.refusal import INVALID, NOT_FOUND, REFUSED, UNAVAILABLE, Refusal
from cumulus_worker.words import WHOLE_TENTHS, Request

log = logging.getLogger(__name__)


class Time(Protocol):
    """What ``clock.Clock`` is."""

    boot_id: str

    def now_ms(self) -> int: ...
    def wall_ms(self) -> int: ...


class Holder(Protocol):
    """Something that holds what is booked, besides the ledger."""

    #: What answers name it by: chronos or ledger.
    name: str

    def hold(self, booking: Booking, seconds: int) -> None:
        """Hold it, anew where it is held already. Raises ``Refusal``."""

    def drop(self, booking: Booking) -> None:
        """Hold it no more. Never fails."""


class Ledger:
    """The bookings of one host. Not safe for threads: the daemon's loop is its only user."""

    def __init__(
        self, file: LedgerFile, clock: Time, holder: Holder, *, pid: Callable[[], int] = os.getpid
    ) -> None:
        self._file = file
        self._clock = clock
        self._holder = holder
        self._pid = pid
        self._devices: dict[int, Device] = {}
        self._bookings: dict[str, Booking] = {}
        self._issued = 0
        #: What is kept on disk is older than what is true; never in a way that would book too much.
        self._stale = False
        #: What somebody should know who looks at this host, "" if all is well.
        self.warning = ""

    def open(self, devices: Sequence[Device]) -> None:
        """Take up what was booked before. Raises ``OSError`` where its file can't be read."""
        self.use(devices)
        try:
            record = self._file.read()
        except Unreadable as unreadable:
            aside = self._file.keep_aside(self._clock.wall_ms())
            self._issued = unreadable.issued
            self.warning = (
                f"The ledger could not be read ({unreadable}); it is kept as {aside}, and nothing is booked"
            )
            log.error(self.warning)
            return
        if record is None:
            return
        self._issued = record.issued
        self._bookings = {booking.partition: booking for booking in self._carried_over(record)}
        self.use(devices)
        self.expire()
        for booking in self._bookings.values():
            self._hold_again(booking)
        self._save_later()

    def use(self, devices: Sequence[Device]) -> None:
        """Take these for the devices of this host. What is booked of one goes where that one is now."""
        self._devices = {device.index: device for device in devices}
        places = {device.uuid: device.index for device in devices}
        for booking in self._bookings.values():
            place = places.get(booking.uuid, booking.device)
            self._bookings[booking.partition] = replace(booking, device=place)

    @property
    def devices(self) -> list[Device]:
        """Those of this host, by index."""
        return sorted(self._devices.values(), key=lambda device: device.index)

    def create(self, request: Request) -> Booking:
        """Book, or renew what the same owner has booked by the same key. Raises ``Refusal``."""
        self.expire()
        device = self._device(request.device)
        deadline_ms = self._clock.now_ms() + request.seconds * 1000
        if (same := self._same(request, device)) is not None:
            return self._renew(same, request, deadline_ms)
        left = self.left(device.index)
        if request.tenths > left:
            raise Refusal(
                REFUSED,
                f"Device {device.index} has {left / WHOLE_TENTHS} left, not {request.tenths / WHOLE_TENTHS}",
                next="Ask for less, or wait until a partition ends or is released: chronos_cli list",
            )
        self._issued += 1
        partition = f"partition_{self._pid()}_{self._clock.wall_ms()}_{self._issued:04d}"
        booking = Booking(
            partition, device.index, device.uuid, request.tenths, deadline_ms,
            owner=request.owner, key=request.key, user=request.user,
        )  # fmt: skip
        self._holder.hold(booking, request.seconds)
        try:
            self._save({**self._bookings, partition: booking})
        except Refusal:
            self._holder.drop(booking)
            raise
        share, whose = (
            request.tenths / WHOLE_TENTHS,
            f"{request.owner} {request.key}".strip() or "nobody named",
        )
        log.info(
            "%s has %s of device %d for %d s: %s", partition, share, device.index, request.seconds, whose
        )
        return booking

    def release(self, partition: str) -> None:
        """End a booking. Raises ``Refusal`` where there is none."""
        self.expire()
        booking = self._bookings.pop(partition, None)
        if booking is None:
            raise Refusal(
                NOT_FOUND,
                f"Partition not found or already released: {partition}",
                next="Nothing: it holds no share. chronos_cli list shows those that do",
            )
        self._holder.drop(booking)
        log.info("%s is released", partition)
        self._save_later()

    def bookings(self, owner: str = "") -> list[Booking]:
        """All that hold now, or those of one owner, in the order they were made."""
        self.expire()
        return [booking for booking in self._bookings.values() if owner in ("", booking.owner)]

    def left(self, index: int) -> int:
        """Tenths of a device that are free. Raises ``Refusal`` where there is no such device."""
        uuid = self._device(index).uuid
        return WHOLE_TENTHS - sum(b.tenths for b in self.bookings() if b.uuid == uuid)

    def remaining_s(self, booking: Booking) -> float:
        """How long a booking still holds."""
        return max(0, booking.deadline_ms - self._clock.now_ms()) / 1000

    def expire(self) -> None:
        """End what has had its time."""
        now_ms = self._clock.now_ms()
        ended = [booking for booking in self._bookings.values() if booking.deadline_ms <= now_ms]
        for booking in ended:
            del self._bookings[booking.partition]
            self._holder.drop(booking)
            log.info("%s has ended: its time is over", booking.partition)
        if ended:
            self._save_later()

    def next_deadline_s(self) -> float:
        """How long until ``expire`` has something to do; infinite where nothing is booked."""
        return min((self.remaining_s(booking) for booking in self._bookings.values()), default=math.inf)

    def keep(self) -> None:
        """Write down how much time is left, for a host that goes down without a word."""
        if self._bookings or self._stale:
            self._save_later()

    def close(self) -> None:
        """Save, and let go of what is held besides: the bookings stay."""
        self.expire()
        self.keep()
        for booking in self._bookings.values():
            self._holder.drop(booking)

    def _carried_over(self, record: Record) -> list[Booking]:
        now_ms = self._clock.now_ms()
        if record.boot_id == self._clock.boot_id and record.saved_ms <= now_ms:
            return [*record.bookings]
        # The host was started again: what was left when this was saved goes on from now.
        return [replace(b, deadline_ms=b.deadline_ms - record.saved_ms + now_ms) for b in record.bookings]

    def _device(self, index: int) -> Device:
        if (device := self._devices.get(index)) is None:
            there = ", ".join(str(known) for known in sorted(self._devices)) or "none"
            raise Refusal(
                INVALID,
                f"Invalid device index: {index} (there are: {there})",
                next="See the devices: chronos_cli stats. If one lacks, mend its driver and restart chronosd",
            )
        return device

    def _same(self, request: Request, device: Device) -> Booking | None:
        if not request.key:
            return None
        wanted = (request.owner, request.key, device.uuid)
        return next((b for b in self._bookings.values() if (b.owner, b.key, b.uuid) == wanted), None)

    def _renew(self, booking: Booking, request: Request, deadline_ms: int) -> Booking:
        if booking.tenths != request.tenths:
            raise Refusal(
                INVALID,
                f"{request.key} has {booking.tenths / WHOLE_TENTHS} of device {request.device} already, "
                f"not {request.tenths / WHOLE_TENTHS}",
                next=f"Use another key, or release it first: chronos_cli release {booking.partition}",
            )
        if deadline_ms <= booking.deadline_ms:
            return booking
        renewed = replace(booking, deadline_ms=deadline_ms)
        self._save({**self._bookings, booking.partition: renewed})
        self._hold_again(renewed)
        return renewed

    def _hold_again(self, booking: Booking) -> None:
        try:
            self._holder.hold(booking, math.ceil(self.remaining_s(booking)))
        except Refusal as refusal:
            # It was promised, so it stands: whoever has it could not be told.
            log.warning("%s is held by the ledger alone: %s", booking.partition, refusal)

    def _save(self, bookings: dict[str, Booking]) -> None:
        """Make ``bookings`` the truth, on disk first. Raises ``Refusal``, and nothing has changed then."""
        clock = self._clock
        record = Record(clock.boot_id, clock.now_ms(), self._issued, tuple(bookings.values()))
        try:
            self._file.write(record)
        except OSError as error:
            raise Refusal(
                UNAVAILABLE,
                f"The ledger cannot be written: {error}",
                next=f"Make room or mend the disk of {self._file.path.parent}, then try again",
            ) from None
        self._bookings = bookings
        self._stale = False

    def _save_later(self) -> None:
        """Save; if that fails, what is true in memory stays so and is saved as soon as it can be."""
        try:
            self._save(self._bookings)
        except Refusal as refusal:
            if not self._stale:
                log.error("%s", refusal)
            self._stale = True
