"""What holds bookings besides the ledger: libchronos, where it can."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cumulus_worker.devices import Device
from cumulus_worker.ledger import Holder
from cumulus_worker.ledger_file import Booking
from cumulus_worker.refusal import REFUSED, Refusal

log = logging.getLogger(__name__)

#: libchronos counts bytes in floating point: ten times exactly a tenth can be more than all.
_A_LITTLE_LESS = 1 - 1e-5
#: It ends partitions by itself, by a clock that may be set: never before the ledger does.
_LONGER_S = 60
_LOCKS = Path("/tmp/chronos_locks")


class NoHolder:
    """Nothing does: the ledger alone."""

    name = "ledger"

    def hold(self, booking: Booking, seconds: int) -> None:
        """Nothing to do."""

    def drop(self, booking: Booking) -> None:
        """Nothing to do."""


class LibChronos:
    """Holds each booking as a partition of libchronos, for as long as this process lives."""

    name = "chronos"

    def __init__(self, partitioner: Any) -> None:
        self._partitioner = partitioner
        self._held: dict[str, str] = {}

    def knows(self, device: int) -> bool:
        """Whether libchronos has a device of this index."""
        try:
            return bool(self._partitioner.get_available(device) >= 0)
        except Exception:  # whatever its version raises
            return False

    def hold(self, booking: Booking, seconds: int) -> None:
        """Make its partition, anew where there is one. Raises ``Refusal``."""
        self.drop(booking)
        if not self.knows(booking.device):
            return
        share = booking.tenths / 10 * _A_LITTLE_LESS
        try:
            held = self._partitioner.create_raw(booking.device, share, min(seconds + _LONGER_S, 2**31 - 1))
        except Exception as error:  # whatever its version raises
            raise Refusal(
                REFUSED,
                f"Chronos refused {booking.tenths / 10} of device {booking.device}: {error}",
                next="See what chronosd's log says before this; restart chronosd if nothing is booked there",
            ) from error
        self._held[booking.partition] = str(held)

    def drop(self, booking: Booking) -> None:
        """Release its partition, if there is one."""
        held = self._held.pop(booking.partition, "")
        if not held:
            return
        try:
            self._partitioner.release(held)
        except Exception as error:  # whatever its version raises
            log.warning("libchronos did not release %s: %s", held, error)


def best(devices: Sequence[Device], *, wanted: str = "", exclusive: bool = False) -> Holder:
    """libchronos where it loads and knows a device. ``wanted`` "ledger" leaves it out.

    So does ``exclusive``: it opens each device, and would keep MPS from one that only one process may have.
    """
    if wanted == "ledger" or exclusive:
        return NoHolder()
    # In the order that NVML and the probe have.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    _sweep_locks()
    try:
        chronos = importlib.import_module("chronos")
        holder = LibChronos(chronos.Partitioner())
    except Exception as error:  # not installed, not loadable, or whatever its stub raises
        log.info("libchronos is not used: %s", str(error).partition("\n")[0])
        return NoHolder()
    if not any(holder.knows(device.index) for device in devices):
        log.info("libchronos is not used: it knows none of the devices")
        return NoHolder()
    return holder


def _sweep_locks() -> None:
    """Remove the lock files of processes that are no more: libchronos leaves them when it is killed."""
    for lock in _LOCKS.glob("partition_*.lock"):
        process = lock.name.split("_")[1]
        try:
            if lock.stat().st_uid == os.getuid() and not Path("/proc", process).exists():
                lock.unlink()
        except OSError as error:
            log.warning("%s stays: %s", lock, error)
