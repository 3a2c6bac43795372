"""One step, as the script asks for it: account, images or swarm with the terms' file, chronosd, ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from cumulus_worker.setup.account import make
from cumulus_worker.setup.daemon import start
from cumulus_worker.setup.images import fetch
from cumulus_worker.setup.ready import report
from cumulus_worker.setup.swarm import join
from cumulus_worker.setup.telling import Failed, tell

STEPS: dict[str, Callable[..., None]] = {
    "account": make,
    "images": fetch,
    "swarm": join,
    "chronosd": start,
    "ready": report,
}


def main(arguments: Sequence[str]) -> int:
    """Take one step; 1 where it failed, which the script tells."""
    try:
        STEPS[arguments[0]](*arguments[1:])
    except Failed as failed:
        tell(failed)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
