"""The rig from a shell: up, down, status, load IMAGE, and what can be done to one WORKER."""

from __future__ import annotations

import argparse
import sys
import time

from tests.rig import Rig, RigBroken
from tests.rig.docker import DockerFailed
from tests.rig.rig import WORKERS, default_name

ON_ONE = ("cut", "mend", "pause", "unpause", "kill", "start")


def main() -> int:
    """Do what the command line says; 1 if that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    parser.add_argument("action", choices=("up", "down", "status", "load", *ON_ONE))
    parser.add_argument("what", nargs="*", help="the worker, such as worker1; for load: images")
    parser.add_argument("--name", default=default_name(), help="which rig (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=0, help=f"how many, for up (default: {WORKERS})")
    asked = parser.parse_args()
    if asked.action in ON_ONE and len(asked.what) != 1:
        parser.error(f"{asked.action} takes the name of one worker")
    rig = Rig(asked.name, asked.workers)
    began = time.monotonic()
    try:
        if asked.action == "status":
            _show(rig)
            return 0
        getattr(rig, asked.action)(*asked.what)
    except (DockerFailed, RigBroken) as error:
        print(f"rig: {error}", file=sys.stderr)
        return 1
    print(f"rig {rig.name}: {' '.join([asked.action, *asked.what])}, {time.monotonic() - began:.1f} s")
    if asked.action == "up":
        _show(rig)
    return 0


def _show(rig: Rig) -> None:
    status = rig.status()
    for member, state in status.items():
        print(f"  {member:<10} {state:<10} {rig.engine(member)}")
    if status:
        print(f"  this machine is {rig.runner_host} there")
    else:
        print(f"there is no rig {rig.name}")


if __name__ == "__main__":
    sys.exit(main())
