"""What code costs, in units that a slow or busy machine does not change."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable


def least_s(work: Callable[[], object]) -> float:
    """Seconds that the work takes when nothing else comes in between."""
    return min(timeit.repeat(work, number=1, repeat=300))


def yardstick() -> None:
    """Write a hundred small objects as JSON: a quarter of a millisecond on an ordinary machine."""
    for number in range(100):
        json.dumps({"x": number, "y": 2.5, "z": "s"})
