"""What ``/proc`` tells about processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Callable, Collection, Dict, List


def process_facts(pid: int) -> Dict[str, int]:
    """Parent, CPU time (clock ticks), resident pages and start time (clock ticks since boot).

    The CPU time is that of its ended children as well. Empty for a process that is gone.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return {}
    return {
        "parent": int(fields[1]),
        "cpu_ticks": sum(map(int, fields[11:15])),
        "start_ticks": int(fields[19]),
        "resident_pages": int(fields[21]),
    }


def descendants(pid: int) -> Dict[int, Dict[str, int]]:
    """The facts of every process that this one or one of them has started or adopted, by pid."""
    children = _way_to_children()
    found: Dict[int, Dict[str, int]] = {}
    waiting = children(pid)
    for child in waiting:  # It grows meanwhile.
        facts = process_facts(child)
        if facts and child not in found:
            found[child] = facts
            waiting.extend(children(child))
    return found


def _way_to_children() -> Callable[[int], List[int]]:
    """What finds the children of a process: the kernel's own lists, or all there is, looked through once."""
    if os.path.exists("/proc/thread-self/children"):
        return _listed_children
    found: Dict[int, List[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        found.setdefault(process_facts(pid).get("parent", 0), []).append(pid)
    return lambda pid: found.get(pid, [])


def _listed_children(pid: int) -> List[int]:
    found: List[int] = []
    with contextlib.suppress(OSError):  # It is gone.
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.extend(map(int, file.read().split()))
    return found


def end_strays(known: Collection[int], patience_s: float = 2.0) -> None:
    """Kill children that are not ``known``, which are orphans of a job that has ended, and theirs.

    Waits until they are gone, at most ``patience_s``.
    """
    until = time.monotonic() + patience_s
    while True:
        strays = [pid for pid in _way_to_children()(os.getpid()) if pid not in known]
        if not strays or time.monotonic() > until:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            while time.monotonic() < until and os.waitpid(pid, os.WNOHANG) == (0, 0):
                time.sleep(0.0005)
