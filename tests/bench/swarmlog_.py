"""A line printed on a Swarm worker to the same line seen by the client. The aim is a p99 under 100 ms."""

from __future__ import annotations

import time

from .measure import Measurement, p50, p99
from .outside import MINOR, client, defined, image, swarm

LIMIT_MS = 100.0
LINES, PAUSE_S = 400, 0.01
#: The rig's workers have this machine's clock.
TELL_THE_TIME = f"""def tell():
    import time
    for _ in range({LINES}):
        print(time.time_ns(), flush=True)
        time.sleep({PAUSE_S})
"""


def main() -> None:
    """One job that prints the time, again and again."""
    name, tell = image(), defined(TELL_THE_TIME)
    with swarm(name) as rig:
        settings = {
            "executors": ["swarm"],
            "swarm_host": rig.manager_host,
            "runner_host": rig.runner_host,
            "job_images": {MINOR: name},
        }
        ages: list[float] = []
        begun = ""
        with client(**settings) as relay:
            for event in relay.submit(tell).events():
                now = time.time_ns()
                *lines, begun = (begun + getattr(event, "text", "")).split("\n")
                ages += [(now - int(line)) / 1e6 for line in lines]
    assert len(ages) == LINES, f"{len(ages)} of {LINES} lines arrived"
    more = {"p50": p50(ages), "p99": p99(ages), "samples": len(ages)}
    print(Measurement("swarmlog", p99(ages), LIMIT_MS, "limit of the p99", "ms", more).line())


if __name__ == "__main__":
    main()
