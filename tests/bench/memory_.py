"""The idle relay's resident memory against a bare Jupyter server's, and again after 1,000 jobs.

The aims: at most 40 MB more than the bare server, and the same within 10% after the jobs.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.homes import Home, wait_for

from .measure import Measurement
from .shell import new_shell, run
from .throughput_ import FUNCTION, rate

JOBS = 1000
SETTLE_S = 2.0
LIMIT_MORE_MB = 40


def resident_mb(pid: int) -> float:
    """Megabytes of one process, once it has come to rest."""
    time.sleep(SETTLE_S)
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def bare_server_mb() -> float:
    """A Jupyter server with no extension, listening and idle."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.jpserver_extensions={}", "--ServerApp.log_level=CRITICAL", "--allow-root"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: _listens(port), 30)
        return resident_mb(server.pid)
    finally:
        server.terminate()
        server.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    """One relay, one bare server, one after the other."""
    from cumulus_jupyter import CumulusClient

    bare = bare_server_mb()
    shell = new_shell()
    run(shell, FUNCTION)
    client = CumulusClient()
    successor = shell.user_ns["successor"]
    rate(lambda n: client.submit(successor, n), 1)
    relay = Home(Path.home()).relay()
    assert relay is not None, "no relay in this home"
    idle = resident_mb(relay["pid"])
    rate(lambda n: client.submit(successor, n), JOBS)
    after = resident_mb(relay["pid"])
    more = {
        "more_than_bare": idle - bare,
        "limit_more": LIMIT_MORE_MB,
        "after_jobs": after,
        "growth": after / idle,
        "jobs": JOBS,
    }
    print(Measurement("memory", idle, bare, "bare jupyter server", "MB", more).line())


if __name__ == "__main__":
    main()
