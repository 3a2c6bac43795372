"""Durable jobs a second with 100 in flight, against dask.distributed's ``submit``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .measure import Measurement, p50
from .shell import new_shell, run

IN_FLIGHT, JOBS, WARM_UP, ROUNDS = 100, 500, 100, 3
#: Defined in the shell, as a notebook would: it travels by source here and pickled there.
FUNCTION = "def successor(n):\n    return n + 1\n"


def rate(submit: Callable[[int], Any], jobs: int) -> float:
    """Jobs a second from the first submit to the last result."""
    waiting: deque[tuple[int, Any]] = deque()
    begin = time.perf_counter()
    for number in range(jobs):
        if len(waiting) == IN_FLIGHT:
            check(*waiting.popleft())
        waiting.append((number, submit(number)))
    for number, future in waiting:
        check(number, future)
    return jobs / (time.perf_counter() - begin)


def check(number: int, future: Any) -> None:
    """A rate counts only where the results are right."""
    assert future.result() == number + 1


def main() -> None:
    """Ours and dask's in turns."""
    from distributed import Client, LocalCluster

    from cumulus_jupyter import CumulusClient

    shell = new_shell()
    run(shell, FUNCTION)
    successor = shell.user_ns["successor"]
    ours = CumulusClient()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as peer,
    ):
        submits: list[Callable[[int], Any]] = [
            lambda n: ours.submit(successor, n),
            lambda n: peer.submit(successor, n, pure=False),
        ]
        rates: list[list[float]] = [[], []]
        for submit in submits:
            rate(submit, WARM_UP)
        for _ in range(ROUNDS):
            for submit, seen in zip(submits, rates, strict=True):
                seen.append(rate(submit, JOBS))
    more = {"in_flight": IN_FLIGHT, "jobs": JOBS * ROUNDS}
    found = Measurement("throughput", p50(rates[0]), p50(rates[1]), "dask.distributed submit", "jobs/s", more)
    print(found.line())


if __name__ == "__main__":
    main()
