"""Jobs as services of a Docker Swarm: one for each attempt, pinned to the node that was chosen.

Swarm starts containers and nothing else: what it thinks of a service's end is read once, and then the
service is removed. The pitfalls that this goes around are told in ``ARCHITECTURE.md``.
"""

from __future__ import annotations

from .executor import SwarmExecutor

__all__ = ["SwarmExecutor"]
