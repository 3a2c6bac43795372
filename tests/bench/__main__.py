"""``python -m tests.bench [NAME ...]``: each bench in a process and a home of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.homes import fresh_home

#: Those of containers: they need an engine, and two of them the rig.
CONTAINERS = ("cold", "swarm", "swarmlog", "fleet", "partition")
#: Those that look at pages: they need a Chromium, and the JupyterLab extension built.
PAGES = ("flood", "lab")
BENCHES = ("cell", "throughput", "log", "array", "import", "memory", "placement", *PAGES, *CONTAINERS)
LIMIT_S = 900


def main() -> int:
    """Run the named benches, or all; the number that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all if none")
    names = parser.parse_args().names or BENCHES
    unknown = set(names) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    failed = 0
    for name in names:
        with fresh_home() as home:
            command = [sys.executable, "-m", f"tests.bench.{name}_"]
            try:
                done = subprocess.run(command, env=home.environment(), timeout=LIMIT_S, check=False)
                failed += done.returncode != 0
            except subprocess.TimeoutExpired:
                print(f"{name}: took longer than {LIMIT_S} s", file=sys.stderr)
                failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
