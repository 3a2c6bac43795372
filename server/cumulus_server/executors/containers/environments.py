"""Dependency environments that jobs share: a volume which builders write and jobs only read.

A *builder* is a container with the hardening of a job. It installs wheels only, so none of the code it
installs runs while it can write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence


def volume_name(relay_id: str) -> str:
    """The volume of this relay's environments."""
    return f"cumulus-environments-{relay_id[:8]}"


def key_of(image: str, requirements: Sequence[str]) -> str:
    """Names one set of requirements in one image; for the memory of what was built, not the runner's key."""
    return hashlib.sha256(json.dumps([image, sorted(requirements)]).encode()).hexdigest()[:16]
