"""``make check-browser``: every browser test, and where their pictures are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.rig import provision

from . import artefacts


def main() -> int:
    """0 where all is well."""
    # What can't be had here fails, instead of being left out.
    os.environ["CI"] = "true"
    if provision.main("browser"):
        return 1
    result = pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).parent)])
    print(artefacts.folder(), flush=True)
    return int(result)


if __name__ == "__main__":
    sys.exit(main())
