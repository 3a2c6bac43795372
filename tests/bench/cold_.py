"""Submission to the first line of user code in a new container, against a bare ``docker run`` printing one.

The aim is a ratio of 1.15, 1.5 is acceptable.
"""

from __future__ import annotations

import subprocess
import time

from .measure import latency
from .outside import ENGINE, LINE, MINOR, SAY_LINE, client, defined, first_line_ms, image

ROUNDS, WARM_UP = 15, 2


def bare_ms(image: str) -> float:
    """The peer: the same image, the line read from docker's own output."""
    command = ["docker", "--host", ENGINE, "run", "--rm", "--entrypoint", "python3", image]
    begin = time.perf_counter()
    with subprocess.Popen([*command, "-c", f"print('{LINE}')"], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        seen_ms = (time.perf_counter() - begin) * 1e3
    assert line.strip() == LINE.encode(), line
    return seen_ms


def main() -> None:
    """Both in turns; the container of one is gone before the other begins."""
    name, say = image(), defined(SAY_LINE)
    settings = {"executors": ["docker"], "docker_host": ENGINE, "job_images": {MINOR: name}}
    ours: list[float] = []
    peer: list[float] = []
    with client(**settings) as relay:
        for number in range(WARM_UP + ROUNDS):
            samples = (bare_ms(name), first_line_ms(relay, say))
            if number >= WARM_UP:
                peer.append(samples[0])
                ours.append(samples[1])
    print(latency("cold", ours, peer, "docker run", aim=1.15, acceptable=1.5).line())


if __name__ == "__main__":
    main()
