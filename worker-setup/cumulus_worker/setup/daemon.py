"""chronosd as a service of this host."""

from __future__ import annotations

import socket
import time

from cumulus_worker import launchers, settings
from cumulus_worker.setup.services import has_systemd, init_script, start_anew
from cumulus_worker.setup.telling import Failed

NAME = launchers.SERVICE
_READY_S = 30.0


def start() -> None:
    """Start it with the package that is there now; its bookings stay in its ledger."""
    there = launchers.install()
    script = init_script(NAME, "Bookings of GPU shares for Cumulus", str(there.chronosd))
    start_anew(NAME, launchers.unit(), script)
    deadline = time.monotonic() + _READY_S
    while not _answers(settings.socket_path()):
        if time.monotonic() > deadline:
            log = f"journalctl -u {NAME}" if has_systemd() else f"/var/log/{NAME}.log"
            raise Failed(f"chronosd does not answer at {settings.socket_path()}", next=f"See {log}")
        time.sleep(0.05)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        try:
            asked.connect(path)
        except OSError:
            return False
    return True
