"""Jobs as containers on one Docker Engine, that of the relay's machine.

A container per attempt. The engine's events tell the ends, and a listing after each connection tells
those that happened while there was none.
"""

from __future__ import annotations

from .executor import DockerExecutor

__all__ = ["DockerExecutor"]
