"""A test's way to kill the relay at a chosen commit: ``CUMULUS_FAILPOINT=before-commit:7``.

The process ends as by ``kill -9``, so nothing is flushed, closed or answered. Used by the store's writer.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

VARIABLE = "CUMULUS_FAILPOINT"
POINTS = ("before-commit", "after-commit")


def _never(point: str) -> None:
    """No failpoint is set."""


def failpoint() -> Callable[[str], None]:
    """What the writer calls at each point, with its name. Raises ``ValueError`` for a point there is not."""
    asked = os.environ.get(VARIABLE, "")
    if not asked:
        return _never
    name, _, count = asked.partition(":")
    if name not in POINTS:
        raise ValueError(f"{VARIABLE}={asked}: must be one of {', '.join(POINTS)}, a colon, and a count")
    left = int(count)

    def reached(point: str) -> None:
        nonlocal left
        left -= point == name
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached
