"""Where things are on a worker, and the environment that says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: The package, and the virtual environment with what it uses where that can be had.
ROOT = "/opt/cumulus/worker"
_SOCKET = "/run/cumulus/chronosd.sock"
_LEDGER = "/var/lib/cumulus/chronos/ledger.json"


def socket_path(environ: Mapping[str, str] = os.environ) -> str:
    """Where the daemon listens."""
    return environ.get("CUMULUS_CHRONOS_SOCKET") or _SOCKET


def ledger_path(environ: Mapping[str, str] = os.environ) -> str:
    """Where the daemon keeps its bookings."""
    return environ.get("CUMULUS_CHRONOS_LEDGER") or _LEDGER


def group(environ: Mapping[str, str] = os.environ) -> str:
    """Who may use the daemon's socket, besides root."""
    return environ.get("CUMULUS_CHRONOS_GROUP") or "cumulus"


def wanted_backend(environ: Mapping[str, str] = os.environ) -> str:
    """ "ledger" to leave libchronos out, "" for the best there is."""
    return environ.get("CUMULUS_CHRONOS_BACKEND", "")


def given_devices(environ: Mapping[str, str] = os.environ) -> str:
    """Devices as JSON instead of those that are found, "" if none are given."""
    return environ.get("CUMULUS_CHRONOS_DEVICES", "")
