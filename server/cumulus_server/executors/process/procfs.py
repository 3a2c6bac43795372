"""What /proc tells about processes: identity beyond the pid, families, and how to end them all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
#: How long processes may take to die of SIGKILL, and between two looks at them.
_DIE_S, _ROUND_S = 10.0, 0.001


@dataclass(frozen=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    state: str
    parent: int
    session: int
    #: Start time in clock ticks since boot: with the pid, it names one process.
    ticks: int


def stat(pid: int) -> Stat | None:
    """The process with this pid, or ``None``. A zombie still has one, with the state "Z"."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def is_alive(pid: int, ticks: int) -> bool:
    """Whether exactly this process still runs."""
    found = stat(pid)
    return found is not None and found.ticks == ticks and found.state not in "ZX"


def every() -> list[Stat]:
    """All processes that can be seen."""
    found = (stat(int(entry)) for entry in os.listdir(_PROC) if entry.isdigit())
    return [process for process in found if process is not None]


def send(pid: int, ticks: int, number: int) -> bool:
    """Signal exactly this process; ``False`` where it has gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return False
    try:
        if not is_alive(pid, ticks):
            return False
        signal.pidfd_send_signal(pidfd, number)
        return True
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(pidfd)


def family(root: int, marks: Iterable[bytes] = ()) -> list[Stat]:
    """The descendants of ``root``, everybody in their sessions, and whoever carries all ``marks``.

    A mark is an entry of the environment, such as ``b"NAME=value"``; it finds those that have left
    their family and their session.
    """
    processes = every()
    members = {root}
    grown = True
    while grown:
        more = {process.pid for process in processes if process.parent in members} - members
        members |= more
        grown = bool(more)
    own = os.getsid(0)
    sessions = {process.session for process in processes if process.pid in members - {root}} - {own}
    wanted = [bytes(mark) for mark in marks]
    return [
        process
        for process in processes
        if process.pid not in (root, os.getpid())
        and process.state not in "ZX"
        and (process.pid in members or process.session in sessions or _carries(process.pid, wanted))
    ]


def end_family(root: int, ticks: int | None, marks: Iterable[bytes] = ()) -> None:
    """SIGKILL ``root`` and its family until none is left.

    Blocks for some milliseconds, and for seconds where the machine is too busy to let them die.
    """
    marks = list(marks)
    known = stat(root) if ticks is not None else None
    rooted = known is not None and known.ticks == ticks
    give_up = time.monotonic() + _DIE_S
    while time.monotonic() < give_up:  # those that fork while they are being ended show up in the next round
        found = family(root if rooted else -1, marks)
        if rooted and ticks is not None:
            send(root, ticks, signal.SIGKILL)
            rooted = False
        for process in found:
            send(process.pid, process.ticks, signal.SIGKILL)
        if not found:
            return
        time.sleep(_ROUND_S)


def _carries(pid: int, marks: list[bytes]) -> bool:
    if not marks:
        return False
    try:
        entries = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return all(mark in entries for mark in marks)
