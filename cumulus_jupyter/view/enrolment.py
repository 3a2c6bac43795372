"""The line that adds a worker, and what to know of it."""

from __future__ import annotations

import time

from ..protocol.enrolment import WorkerToken


def sentence(token: WorkerToken) -> str:
    """Until when the line can be used, by the clock of whoever reads it, and how often."""
    until = time.strftime("%H:%M", time.localtime(token.expires_ms / 1000))
    return (
        f"Run it on the new host (Debian or Ubuntu) until {until}. It works once: for another host, ask for"
        " another line."
    )
