"""``python -m cumulus_runner --serve FD | --assignment FILE | --code DIR``."""

from __future__ import annotations

from cumulus_runner import fork_hooks

fork_hooks.postpone()  # Before the imports below, which register such hooks.

# ruff: noqa: E402
import argparse
import sys
from typing import List, Optional


def main(arguments: Optional[List[str]] = None) -> int:
    """Run jobs as the command line says. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cumulus_runner", description=__doc__)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--serve", type=int, metavar="FD", help="take assignments from this socket")
    way.add_argument("--assignment", metavar="FILE", help="run the one assignment in this file")
    way.add_argument("--code", metavar="DIR", help="run main() of DIR/main.py, print its result as JSON")
    options = parser.parse_args(arguments)
    if options.code is not None:
        from .by_hand import run_folder

        return run_folder(options.code)
    from . import serve

    if options.serve is not None:
        serve.Server(options.serve).serve()
    else:
        serve.run_one(options.assignment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
