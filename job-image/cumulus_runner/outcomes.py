"""How an attempt ends, in the words that people read."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Dict, Mapping, Optional

_LIKELY_OUT_OF_MEMORY = "the job was killed (SIGKILL), most likely because it ran out of memory"


def say(text: str) -> None:
    """A line for the executor's log."""
    print(f"cumulus_runner: {text}", file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """A line for whoever asks why a job does not come about."""
    print(f"cumulus: {text}", file=sys.stderr, flush=True)


def failed(message: str, code: str = "INTERNAL", next: str = "") -> Dict[str, Any]:
    """A FAILED outcome."""
    return {"state": "FAILED", "message": message, "error": {"code": code, "message": message, "next": next}}


def cancelled() -> Dict[str, Any]:
    """A CANCELLED outcome."""
    return {"state": "CANCELLED", "message": "cancelled", "error": None}


def out_of_time(duration_s: float) -> Dict[str, Any]:
    """The outcome of a job that was longer than it may be."""
    return failed(
        f"Job exceeded allocated duration of {duration_s:g} seconds",
        "DEADLINE_EXCEEDED",
        "Ask for more time with --duration, up to 86400 seconds.",
    )


def refused(reason: str, too_much: bool) -> Dict[str, Any]:
    """The outcome of a job whose report could not be brought to the relay."""
    message = f"The relay did not take what the job reported: {reason}"
    if too_much:
        next = "Bring back less (-o NAMES), or write large data to a file."
        return failed(message, "PAYLOAD_TOO_LARGE", next)
    return failed(message, next="Leave out what it shows or brings back last (-o NAMES), and run it again.")


def of_status(status: str, error: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """The outcome for the status with which the program ended."""
    if status == "completed":
        return {"state": "COMPLETED", "message": "", "error": None}
    if status.startswith("exit "):
        return failed(f"exited with status {status[5:]}")
    if error is None:
        return failed(status)
    text = f"{error['name']}: {error['value']}" if error["value"] else str(error["name"])
    return failed(text[:2000])


def no_room(reason: str) -> Dict[str, Any]:
    """The outcome of a job whose files and values could not be put where it was to run."""
    return failed(
        f"There is no room for the job's files and values where it was to run: {reason}",
        "RESOURCE_EXHAUSTED",
        "Send less, or have its worker's disk looked at.",
    )


def out_of_memory(limit_mib: Optional[int]) -> Dict[str, Any]:
    """The outcome of a job that the kernel has killed for what it used."""
    limit = f" (limit {limit_mib} MiB)" if limit_mib else ""
    return failed(f"out of memory{limit}", "RESOURCE_EXHAUSTED", "Ask for more with --memory, or use less.")


def of_dead_child(
    status: int,
    limit_mib: Optional[int] = None,
    killed_for_memory: Optional[bool] = None,
    shared_mib: Optional[int] = None,
) -> Dict[str, Any]:
    """The outcome of a process that ended without a word; ``status`` as ``waitpid`` has it.

    ``killed_for_memory`` is ``None`` where the kernel does not tell; ``shared_mib`` is the size of the
    container's shared memory.
    """
    if os.WIFEXITED(status):
        return failed(f"the job's process ended itself with exit status {os.WEXITSTATUS(status)}")
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL and killed_for_memory:
        return out_of_memory(limit_mib)
    if number == signal.SIGKILL and killed_for_memory is None:
        return failed(_LIKELY_OUT_OF_MEMORY, "RESOURCE_EXHAUSTED", "Ask for more with --memory, or use less.")
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    described = signal.strsignal(number) or name
    advice = ""
    if number == signal.SIGBUS and shared_mib:
        advice = (
            f"Most likely its shared memory was full: /dev/shm has {shared_mib} MiB here, as the relay's "
            "operator has set container_shm_mib."
        )
    return failed(f"the job's process was killed by {name} ({described.lower()})", next=advice)


def error_event(name: str, value: str) -> Dict[str, Any]:
    """An Error event for what was no exception of the program."""
    return {
        "type": "error",
        "name": name,
        "value": value,
        "traceback": [],
        "module": "",
        "qualname": name,
        "args": None,
    }


def no_result() -> Dict[str, Any]:
    """The Result of a program that left nothing."""
    return {
        "type": "result",
        "graph": None,
        "inline_blobs": {},
        "stored_blobs": False,
        "deleted": [],
        "remote": [],
        "has_result": False,
        "json": None,
    }
