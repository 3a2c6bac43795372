"""The relay: takes submissions, places them on workers, carries their events back."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """How a Jupyter server finds the extension."""
    from .extension import CumulusApp

    return [{"module": "cumulus_server.extension", "app": CumulusApp}]
