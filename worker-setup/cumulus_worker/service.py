"""Answers command lines from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cumulus_worker import __version__, engine
from cumulus_worker.ledger import Ledger
from cumulus_worker.ledger_file import Booking
from cumulus_worker.refusal import UNAVAILABLE, Refusal
from cumulus_worker.words import WHOLE_TENTHS, Request, parse


class Service:
    """What the daemon does with what comes over its socket."""

    def __init__(self, ledger: Ledger, backend: str) -> None:
        self._ledger = ledger
        self._backend = backend
        self._words: dict[str, Callable[[Request], dict[str, Any]]] = {
            "create": self._create,
            "release": self._release,
            "list": self._list,
            "available": self._available,
            "stats": self._stats,
            "version": lambda _: self.version(),
            "engine": lambda _: self._engine(),
        }

    def answer(self, argv: Sequence[str]) -> dict[str, Any]:
        """The answer to a command line: ``{"exit": 0, "answer": {...}}``, an error's too."""
        try:
            request = parse(argv)
            return {"exit": 0, "answer": self._words[request.word](request)}
        except Refusal as refusal:
            return {"exit": 1, "answer": refusal.answer()}

    def version(self) -> dict[str, Any]:
        """What this is."""
        return {"chronos": "cumulus", "version": __version__, "backend": self._backend}

    def _create(self, request: Request) -> dict[str, Any]:
        return self._entry(self._ledger.create(request))

    def _release(self, request: Request) -> dict[str, Any]:
        self._ledger.release(request.partition)
        return {"partition": request.partition, "released": True}

    def _list(self, request: Request) -> dict[str, Any]:
        entries = [self._entry(booking) for booking in self._ledger.bookings(request.owner)]
        return {"partitions": entries, "backend": self._backend}

    def _available(self, request: Request) -> dict[str, Any]:
        return {
            "device": request.device,
            "fraction": self._ledger.left(request.device) / WHOLE_TENTHS,
        }

    def _stats(self, _: Request) -> dict[str, Any]:
        bookings = self._ledger.bookings()
        devices = [
            {
                "index": device.index,
                "uuid": device.uuid,
                "name": device.name,
                "kind": device.kind,
                "memory_mib": device.memory_mib,
                "fraction": self._ledger.left(device.index) / WHOLE_TENTHS,
                "partitions": sum(booking.uuid == device.uuid for booking in bookings),
            }
            for device in self._ledger.devices
        ]
        return {**self.version(), "devices": devices, "warning": self._ledger.warning}

    def _engine(self) -> dict[str, Any]:
        try:
            return engine.facts()
        except PermissionError as error:
            raise Refusal(
                UNAVAILABLE, f"chronosd may not ask Docker: {error}", next="Run chronosd as root"
            ) from None

    def _entry(self, booking: Booking) -> dict[str, Any]:
        return {
            "partition": booking.partition,
            "device": booking.device,
            "uuid": booking.uuid,
            "fraction": booking.tenths / WHOLE_TENTHS,
            "remaining_s": self._ledger.remaining_s(booking),
            "owner": booking.owner,
            "key": booking.key,
            "user": booking.user,
        }
