"""The relay with 100 jobs in containers at once, against none: its memory, and the time of ``GET /jobs``.

The page has the same 100 jobs both times: while they run, and when they have ended.
"""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from cumulus_jupyter import CumulusClient
from tests.homes import Home, wait_for

from .measure import Measurement, p50, p99, timed_ms
from .outside import ENGINE, MINOR, client, defined, image

JOBS, REQUESTS = 100, 300
START_S = 400.0
SETTLE_S = 2.0
#: A line a second until it is cancelled.
CHATTER = """def chatter():
    import time
    while True:
        print("still here", flush=True)
        time.sleep(1)
"""


def resident_mb(pid: int) -> float:
    """Megabytes of one process, once it has come to rest."""
    time.sleep(SETTLE_S)
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def listing_ms(relay: CumulusClient) -> list[float]:
    """Times of ``GET /jobs`` for a page of as many jobs as there are."""
    return [timed_ms(lambda: relay.http.call("GET", "jobs", query={"limit": JOBS})) for _ in range(REQUESTS)]


def main() -> None:
    """One relay: before, with all its jobs running, and after."""
    name, chatter = image(), defined(CHATTER)
    settings = {
        "executors": ["docker"],
        "docker_host": ENGINE,
        "job_images": {MINOR: name},
        "container_slots": JOBS,
        "container_memory_mib": 512,
    }
    with client(**settings) as relay:
        relay.health()
        told = Home(Path.home()).relay()
        assert told is not None, "no relay in this home"
        idle_mb = resident_mb(told["pid"])
        jobs = [relay.submit(chatter) for _ in range(JOBS)]
        running = wait_for(lambda: len(relay.views(state="RUNNING", limit=JOBS)) == JOBS, START_S, 0.5)
        assert running, f"{len(relay.views(state='RUNNING', limit=JOBS))} of {JOBS} jobs run"
        busy_mb, busy_ms = resident_mb(told["pid"]), listing_ms(relay)
        for job in jobs:
            job.cancel()
        assert wait_for(lambda: not relay.stats().active, START_S, 0.5)
        time.sleep(SETTLE_S)
        idle_ms = listing_ms(relay)
    memory = {"jobs": JOBS, "more_for_each": (busy_mb - idle_mb) / JOBS}
    print(Measurement("fleet-memory", busy_mb, idle_mb, "the same relay idle", "MB", memory).line())
    times = {"jobs": JOBS, "p50": p50(busy_ms), "peer_p50": p50(idle_ms), "samples": REQUESTS}
    print(
        Measurement("fleet-jobs", p99(busy_ms), p99(idle_ms), "the p99 after their end", "ms", times).line()
    )


if __name__ == "__main__":
    main()
