"""A file beside the job's folder that tells a restarted executor who runs it."""

from __future__ import annotations

import contextlib
import functools
import json
import os

from cumulus_jupyter.protocol.channel import Assignment

from .processes import process_facts

NAME = "runner.json"


def write_runner_file(assignment: Assignment, child_pid: int) -> None:
    """Write it, before the claim: pids with their start times, the job and the attempt."""
    pid = os.getpid()
    facts = {
        "version": 1,
        "pid": pid,
        "start_ticks": _start_ticks(pid),
        "child_pid": child_pid,
        "child_start_ticks": process_facts(child_pid).get("start_ticks", 0),
        "job_id": assignment.job_id,
        "attempt": assignment.attempt,
    }
    path = _path(assignment)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(facts, file)
    os.replace(path + ".new", path)


@functools.lru_cache(maxsize=1)
def _start_ticks(pid: int) -> int:
    """Of this process, which stays the same."""
    return process_facts(pid).get("start_ticks", 0)


def remove_runner_file(assignment: Assignment) -> None:
    """Remove it, and the folders of the attempt and of the job where nothing else is in them.

    Done here, since it takes a file system a millisecond or more that the relay has better use for.
    """
    path = _path(assignment)
    folder = os.path.dirname(path)
    with contextlib.suppress(OSError):
        os.unlink(path)
        os.rmdir(folder)
        os.rmdir(os.path.dirname(folder))


def _path(assignment: Assignment) -> str:
    return os.path.join(os.path.dirname(assignment.workdir.rstrip("/")), NAME)
