"""What ``/proc`` tells about processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Collection, Dict, List


def process_facts(pid: int) -> Dict[str, int]:
    """Parent, session, CPU time (clock ticks), resident pages and start time (clock ticks since boot).

    Empty for a process that is gone.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return {}
    return {
        "parent": int(fields[1]),
        "session": int(fields[3]),
        "cpu_ticks": int(fields[11]) + int(fields[12]),
        "start_ticks": int(fields[19]),
        "resident_pages": int(fields[21]),
    }


def own_children() -> List[int]:
    """Processes whose parent is this one."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return [child for child in _all_pids() if process_facts(child).get("parent") == pid]


def _all_pids() -> List[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def in_session(session: int) -> Dict[int, Dict[str, int]]:
    """The facts of every process of a session, by pid."""
    found = {}
    for pid in _all_pids():
        facts = process_facts(pid)
        if facts.get("session") == session:
            found[pid] = facts
    return found


def end_strays(known: Collection[int], patience_s: float = 2.0) -> None:
    """Kill children that are not ``known``, which are orphans of a job that has ended, and theirs.

    Waits until they are gone, at most ``patience_s``.
    """
    until = time.monotonic() + patience_s
    while True:
        strays = [pid for pid in own_children() if pid not in known]
        if not strays or time.monotonic() > until:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            while time.monotonic() < until and os.waitpid(pid, os.WNOHANG) == (0, 0):
                time.sleep(0.0005)
