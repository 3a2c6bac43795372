"""The file that bookings are kept in: written whole or not at all, and read with suspicion."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_VERSION = 1


@dataclass(frozen=True)
class Booking:
    """A share of one device for a time."""

    partition: str
    device: int
    uuid: str
    tenths: int
    #: By the clock of the boot that its record names.
    deadline_ms: int
    owner: str = ""
    key: str = ""
    user: str = ""


@dataclass(frozen=True)
class Record:
    """Everything that is kept."""

    boot_id: str
    saved_ms: int
    #: How many partitions there have ever been; a number is never given twice.
    issued: int
    bookings: tuple[Booking, ...] = ()


class Unreadable(Exception):
    """The file is there but is no ledger; the message says why, ``issued`` what could be read of that."""

    def __init__(self, why: str, issued: int) -> None:
        super().__init__(why)
        self.issued = issued


class LedgerFile:
    """One file; whoever uses it is the only one (``chronosd`` holds a lock)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record | None:
        """What is kept, None where nothing ever was. Raises ``Unreadable`` or ``OSError``."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _record(json.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Unreadable(f"{type(error).__name__}: {error}", _issued(data)) from None

    def write(self, record: Record) -> None:
        """Replace what is kept, whole also after a power cut. Raises ``OSError``: it may be either then."""
        data = json.dumps({"version": _VERSION, **asdict(record)}, indent=1).encode()
        beside = self.path.with_name(self.path.name + ".new")
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        _sync_folder(self.path.parent)

    def keep_aside(self, wall_ms: int) -> Path:
        """Move what can't be read out of the way, where it can be looked at. Raises ``OSError``."""
        number = 0
        while (aside := self.path.with_name(f"{self.path.name}.unreadable-{wall_ms + number}")).exists():
            number += 1
        self.path.rename(aside)
        _sync_folder(self.path.parent)
        return aside


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(data: dict[str, Any]) -> Record:
    if data["version"] != _VERSION:
        raise ValueError(f"it is of version {data['version']!r}, not {_VERSION}")
    bookings = tuple(Booking(**entry) for entry in data["bookings"])
    record = Record(data["boot_id"], data["saved_ms"], data["issued"], bookings)
    _checked(record, {"boot_id": str, "saved_ms": int, "issued": int})
    for booking in bookings:
        numbers = dict.fromkeys(("device", "tenths", "deadline_ms"), int)
        _checked(booking, {**dict.fromkeys(("partition", "uuid", "owner", "key", "user"), str), **numbers})
        if not 1 <= booking.tenths <= 10:
            raise ValueError(f"{booking.partition} has {booking.tenths} tenths")
    if len({booking.partition for booking in bookings}) < len(bookings):
        raise ValueError("a partition is there twice")
    return record


def _checked(thing: object, types: dict[str, type]) -> None:
    for name, expected in types.items():
        value = getattr(thing, name)
        if type(value) is not expected:
            raise TypeError(f"{name} is {value!r}, not of type {expected.__name__}")


def _issued(data: bytes) -> int:
    """The highest number of a partition that can be made out in a broken file."""
    found = re.findall(rb'"issued": ?(\d{1,15})|partition_\d+_\d+_(\d{1,15})', data)
    return max((int(one or other) for one, other in found), default=0)
