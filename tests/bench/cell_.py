"""A warm ``%%cumulus`` cell as the notebook sees it, against ipyparallel's ``%%px`` on a running engine."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import partial

import ipyparallel

from .measure import latency, timed_ms
from .shell import new_shell, run

ROUNDS, CELLS, WARM_UP = 8, 40, 60
OURS = "%%cumulus\nx = 1"
PEER = "%%px\nx = 1"


@contextlib.contextmanager
def running_engine() -> Iterator[ipyparallel.Client]:
    """One engine on this machine, and its client."""
    cluster = ipyparallel.Cluster(n=1, log_level=logging.ERROR)
    cluster.start_cluster_sync()
    try:
        client = cluster.connect_client_sync()
        client.wait_for_engines(1, timeout=60, interactive=False)
        yield client
    finally:
        cluster.stop_cluster_sync()


def main() -> None:
    """Both in turns, so that what else the machine does falls on both."""
    shell = new_shell()
    with running_engine() as engines:
        engines.activate()
        samples: dict[str, list[float]] = {OURS: [], PEER: []}
        for cell in samples:
            for _ in range(WARM_UP):
                run(shell, cell)
        for _ in range(ROUNDS):
            for cell, times in samples.items():
                times += [timed_ms(partial(run, shell, cell)) for _ in range(CELLS)]
    print(latency("cell", samples[OURS], samples[PEER], "ipyparallel %%px", worst_ratio=2.0).line())


if __name__ == "__main__":
    main()
