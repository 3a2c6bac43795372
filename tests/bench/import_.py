"""``import cumulus_jupyter`` in a fresh interpreter. The aim is under 50 ms."""

from __future__ import annotations

import subprocess
import sys

from .measure import latency

ROUNDS = 15
LIMIT_MS = 50
PROGRAM = """
import time
begin = time.perf_counter()
import {module}
print((time.perf_counter() - begin) * 1e3)
"""


def import_ms(module: str) -> float:
    """How long a new interpreter takes to import ``module``."""
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Ours and ipyparallel's in turns, after one import each for the caches."""
    ours, peer = [], []
    for module in ("cumulus_jupyter", "ipyparallel"):
        import_ms(module)
    for _ in range(ROUNDS):
        ours.append(import_ms("cumulus_jupyter"))
        peer.append(import_ms("ipyparallel"))
    print(latency("import", ours, peer, "import ipyparallel", limit=LIMIT_MS).line())


if __name__ == "__main__":
    main()
