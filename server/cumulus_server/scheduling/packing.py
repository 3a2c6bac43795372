"""Which devices of one worker a job gets."""

from __future__ import annotations

from collections.abc import Sequence

from .model import DEVICE_TENTHS

#: How places are chosen: where the least is left over, or the first that is large enough.
BEST_FIT, FIRST_FIT = "best-fit", "first-fit"
PLACEMENTS = (BEST_FIT, FIRST_FIT)


def pack(free: Sequence[int], tenths: int, first: bool = False) -> range | None:
    """The devices that ``tenths`` go to, given what is free on each; ``None`` where nothing is large enough.

    A share goes to the device with the least left over. Whole devices are neighbours, from the shortest
    free run that is long enough, so that longer ones stay whole; a share that must break a whole
    device takes one from there, too. With ``first`` it is the first device, or the first run.
    """
    if tenths < DEVICE_TENTHS:
        fitting = [at for at, left in enumerate(free) if left >= tenths and (first or left < DEVICE_TENTHS)]
        if fitting:
            at = fitting[0] if first else min(fitting, key=free.__getitem__)
            return range(at, at + 1)
    count = max(1, tenths // DEVICE_TENTHS)
    runs = [run for run in whole_runs(free) if len(run) >= count]
    if not runs:
        return None
    return (runs[0] if first else min(runs, key=len))[:count]


def whole_runs(free: Sequence[int]) -> list[range]:
    """The runs of neighbouring devices that are free as a whole."""
    found: list[range] = []
    start = None
    for at, left in enumerate(free):
        if left == DEVICE_TENTHS:
            start = at if start is None else start
        elif start is not None:
            found.append(range(start, at))
            start = None
    if start is not None:
        found.append(range(start, len(free)))
    return found
