"""A line printed in the job to the same line seen by the client. The aim is a p99 under 50 ms."""

from __future__ import annotations

import io
import sys
import time

from .measure import Measurement, p50, p99
from .shell import new_shell, run

LIMIT_MS = 50.0
LINES, PAUSE_S = 400, 0.01
CELL = f"""%%cumulus
import time
for _ in range({LINES}):
    print(time.time_ns())
    time.sleep({PAUSE_S})
"""


class Clock(io.TextIOBase):
    """Stands for the notebook's stdout: notes how old each line is when it arrives."""

    def __init__(self) -> None:
        self.ages_ms: list[float] = []
        self._begun = ""

    def write(self, text: str) -> int:
        """Called by the magic for what the job printed."""
        now = time.time_ns()
        *lines, self._begun = (self._begun + text).split("\n")
        self.ages_ms += [(now - int(line)) / 1e6 for line in lines if line.isdigit()]
        return len(text)


def main() -> None:
    """One job that prints the time, again and again."""
    shell = new_shell()
    run(shell, "%%cumulus\nx = 1")
    clock, stdout = Clock(), sys.stdout
    sys.stdout = clock
    try:
        run(shell, CELL, quiet=False)
    finally:
        sys.stdout = stdout
    ages = clock.ages_ms
    assert len(ages) == LINES, f"{len(ages)} of {LINES} lines arrived"
    more = {"p50": p50(ages), "p99": p99(ages), "samples": len(ages)}
    print(Measurement("log", p99(ages), LIMIT_MS, "limit of the p99", "ms", more).line())


if __name__ == "__main__":
    main()
