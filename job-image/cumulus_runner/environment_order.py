"""Installs requirements ahead of the jobs that will ask for them, into a folder that those can't write to.

Nothing of a third party may run while the folder can be written to: only wheels are installed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from typing import Any, Callable, Dict, List, Mapping

from .environment import Environments, Places, RequirementsFailed
from .loop import Future, Loop, spawn
from .outcomes import tell

#: Anything but a name with versions: a folder, a source archive, a repository, an option.
_NEEDS_BUILDING = re.compile(r"^\s*[-.]|[/@\\]")


def build(path: str) -> int:
    """Do what a ``protocol.channel.EnvironmentOrder`` in a file says. Returns 0 if they are there, else 1."""
    with open(path, "rb") as file:
        order = json.loads(file.read())
    requirements: List[str] = order["requirements"]
    os.environ.update(order.get("env") or {})
    odd = [line for line in requirements if _NEEDS_BUILDING.search(line) and not line.endswith(".whl")]
    if odd:
        tell(f"only wheels are installed for all jobs, and this may need to be built: {', '.join(odd)}")
        return 1
    try:
        _install(requirements, order["folder"])
    except RequirementsFailed as problem:
        tell(str(problem))
        return 1
    return 0


def _install(requirements: List[str], folder: str) -> None:
    loop = Loop()
    watched: Dict[int, Callable[[int], None]] = {}
    given_up: Future[None] = Future()

    def reap() -> None:
        for pid in list(watched):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                watched.pop(pid)(status)

    loop.on_signal(signal.SIGCHLD, reap)
    loop.on_signal(signal.SIGTERM, lambda: given_up.set(None))
    environments = Environments(loop, watched, wheels_only=True)
    done = spawn(environments.provide(requirements, Places(folder), _show, given_up))

    def stop() -> None:
        loop.after(0, loop.stop)  # from within the loop, which may not run yet

    done.then(stop)
    loop.run()
    loop.close()
    if given_up.done:
        raise RequirementsFailed("ended before the requirements were installed")
    done.result()


def _show(event: Mapping[str, Any]) -> None:
    sys.stderr.write(f"cumulus: {event.get('label', '')}\n")
