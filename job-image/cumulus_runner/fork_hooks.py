"""Postpones what modules want done after each fork, until a process has threads to care about.

``threading``, ``logging``, ``random`` and others renew their locks and seeds in every forked process.
The nursery has one thread and holds none of their locks, so its children need nothing but fresh
seeds; the hooks themselves would touch two hundred pages of memory, a quarter of what a small job
touches. A child registers them then, so that processes that the job forks have them run.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List

_register = os.register_at_fork
_postponed: List[Dict[str, Any]] = []


def _postpone(**hooks: Any) -> None:
    _postponed.append(hooks)


def postpone() -> None:
    """From now on; call before anything else is imported."""
    os.register_at_fork = _postpone


def take_up() -> None:
    """In a forked process: register what was postponed; renew the seeds."""
    os.register_at_fork = _register
    for hooks in _postponed:
        _register(**hooks)
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
