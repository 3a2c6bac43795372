"""``python -m cumulus_runner --serve FD | --assignment FILE | --code DIR | --build-environment FILE``."""

from __future__ import annotations

import sys

_USAGE = """usage: python -m cumulus_runner WAY
  --serve FD                take assignments from this socket
  --assignment FILE         run the one assignment in this file
  --code DIR                run main() of DIR/main.py, print its result as JSON
  --build-environment FILE  install the requirements that this file names, for the jobs that will ask for them
"""


def main(arguments: list[str] | None = None) -> int:
    """Run jobs as the command line says. Returns the exit status."""
    # By hand: ``argparse`` takes a job that has just been started longer than all else here.
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) == 1 and "=" in given[0]:
        given = given[0].split("=", 1)
    way, value = given if len(given) == 2 else ("", "")
    if way == "--assignment":
        from .one_job import run

        run(value)
    if way == "--serve" and value.isdigit():
        from . import fork_hooks

        fork_hooks.postpone()  # Before the imports below, which register such hooks.
        from .serve import Server

        Server(int(value)).serve()
        return 0
    if way == "--code":
        from .by_hand import run_folder

        return run_folder(value)
    if way == "--build-environment":
        from .environment_order import build

        return build(value)
    asked = given in (["-h"], ["--help"])
    (sys.stdout if asked else sys.stderr).write(_USAGE)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
